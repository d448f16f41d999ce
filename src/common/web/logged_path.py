"""The path of a request as it stands in logs, where no secret may stand."""

from functools import lru_cache

from quart import Quart

SECRET_SUFFIX = "_token>"  # noqa: S105 - the end of a parameter's name in a route


@lru_cache(maxsize=16)
def secret_routes(app: Quart) -> tuple[tuple[str, str], ...]:
    """The routes with a parameter named `…_token`, each with what stands before its first parameter.

    Call it when the routes are complete.
    """
    rules = [rule.rule for rule in app.url_map.iter_rules() if SECRET_SUFFIX in rule.rule]
    return tuple((rule.partition("<")[0], rule) for rule in rules)


def logged_path(app: Quart, path: str) -> str:
    """The path; of one at or beside a route with a parameter named `…_token`, only the route.

    A token with a slip after it, such as a last slash, has no route, and is a secret all the same. So is one in a
    target that names the host too, or that has the prefix of a proxy before it.
    """
    resembled = "/" + path.lstrip("/")
    return next((rule for before, rule in secret_routes(app) if before in resembled), path)
