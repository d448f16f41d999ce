"""The path of a request as it stands in logs, where no secret may stand."""

from quart import Quart

SECRET_SUFFIX = "_token>"  # noqa: S105 - the end of a parameter's name in a route


def logged_path(app: Quart, path: str) -> str:
    """The path; of one at or beside a route with a parameter named `…_token`, only the route.

    A token with a slip after it, such as a last slash, has no route, and is a secret all the same.
    """
    resembled = "/" + path.lstrip("/")
    for rule in app.url_map.iter_rules():
        before, found, _ = rule.rule.partition("<")
        if found and SECRET_SUFFIX in rule.rule and resembled.startswith(before):
            return rule.rule
    return path
