"""What can go wrong, by meaning, and the one table that gives each meaning its HTTP status (RFC 9457).

Slices raise meanings. Nothing else in the project knows a status of an error.
"""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
import pydantic
import structlog
from quart import Quart, Response, g, request
from quart_schema import RequestSchemaValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from common.db.errors import NUL_IN_TEXT, TRANSIENT_ERRORS
from common.web.resources import Application, current_application

log = structlog.get_logger()

PROBLEM_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field of the input: where it is (dotted path) and what is wrong with it."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as RFC 9457 describes it; `code` is stable and meant for programs."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] = []


class HttpProblem(Exception):  # noqa: N818 - the base of meanings, which are not all errors
    """Base of all meanings. `extra` members join the problem document, `headers` the response."""

    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem_code = code or self.code
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class Invalid(HttpProblem):
    """The request breaks the contract; `errors` names every wrong field."""

    code = "invalid"

    @classmethod
    def field(cls, name: str, message: str) -> "Invalid":
        return cls("The request is not valid.", errors=[FieldError(name, message)])


class Unauthorized(HttpProblem):
    """No credentials, or none that are valid. `challenge` becomes WWW-Authenticate."""

    code = "unauthorized"

    def __init__(self, detail: str, *, challenge: str = "Bearer", code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": challenge})


class Forbidden(HttpProblem):
    code = "forbidden"


class NotFound(HttpProblem):
    code = "not_found"


class Conflict(HttpProblem):
    """A well-formed request that the present state refuses."""

    code = "conflict"


class TooLarge(HttpProblem):
    code = "too_large"


class UnsupportedMedia(HttpProblem):
    code = "unsupported_media_type"


class IdempotencyKeyReused(HttpProblem):
    """An idempotency key used again with another request."""

    code = "idempotency_key_reused"


class TooManyRequests(HttpProblem):
    """The caller is slowed down; `retry_after` in seconds."""

    code = "too_many_requests"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class FailedPermanently(HttpProblem):
    """Something that was asked for failed for good, and the reason may be told."""

    code = "failed"


class Unavailable(HttpProblem):
    """We cannot serve now but will again; `retry_after` in seconds."""

    code = "unavailable"

    def __init__(
        self, detail: str, *, retry_after: int = 1, code: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)}, extra=extra)


STATUS: dict[type[HttpProblem], int] = {
    Invalid: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    IdempotencyKeyReused: 422,
    TooManyRequests: 429,
    FailedPermanently: 500,
    Unavailable: 503,
}


def field_errors(error: pydantic.ValidationError, prefix: tuple[str | int, ...] = ()) -> list[FieldError]:
    """Every fault of a pydantic validation, with dotted paths."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in (*prefix, *fault["loc"])) or "body"
        message = "is not known here" if fault["type"] == "extra_forbidden" else fault["msg"]
        faults.append(FieldError(where, message.removeprefix("Value error, ")))
    return faults


Format = Callable[[HttpProblem, int], Response]


def set_error_format(app: Application, prefix: str, render_problem: Format) -> None:
    """Answer errors below the path `prefix` by `render_problem`: a stand-in has the errors of the original service."""
    app.error_formats[prefix] = render_problem


def problem_response(failure: HttpProblem, status: int) -> Response:
    """The failure as the requested path's format has it: a problem document, unless `use_format` says otherwise."""
    for prefix, render_problem in current_application().error_formats.items():
        if request.path.startswith(prefix):
            return render_problem(failure, status)
    title = HTTPStatus(status).phrase
    problem = Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=failure.detail,
        code=failure.problem_code,
        request_id=g.get("request_id", ""),
        errors=failure.errors,
    )
    body = msgspec.to_builtins(problem) | msgspec.to_builtins(failure.extra)
    response = Response(msgspec.json.encode(body), status=status, content_type=PROBLEM_TYPE)
    response.headers.update(failure.headers)
    return response


def status_of(failure: HttpProblem) -> int:
    return next(STATUS[kind] for kind in type(failure).__mro__ if kind in STATUS)


async def _on_failure(failure: HttpProblem) -> Response:
    return problem_response(failure, status_of(failure))


async def _on_validation(error: RequestSchemaValidationError) -> Response:
    """A wrong query string; bodies do not go through quart-schema (`body.json_body`)."""
    cause = error.validation_error
    assert isinstance(cause, pydantic.ValidationError)
    faults = [
        FieldError(fault.field, "is given more than once") if len(request.args.getlist(fault.field)) > 1 else fault
        for fault in field_errors(cause)
    ]
    return problem_response(Invalid("The request is not valid.", errors=faults), 400)


async def _on_http_exception(error: HTTPException) -> Response:
    """The framework's own errors: 404, 405 and the like."""
    if error.code is not None and error.code < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect, in werkzeug's class
    status = error.code or 500
    phrase = HTTPStatus(status).phrase
    failure = HttpProblem(str(error.description or phrase), code=phrase.lower().replace(" ", "_").replace("-", "_"))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        failure.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return problem_response(failure, status)


async def _on_database_gone(error: Exception) -> Response:
    if isinstance(error, ValueError):  # asyncpg's InterfaceError for an argument that does not fit: a fault of ours
        return await _on_anything(error)
    log.warning("database_unavailable", error=f"{type(error).__name__}: {error}")
    return problem_response(Unavailable("The database cannot be reached at the moment.", retry_after=2), 503)


async def _on_no_text(_: Exception) -> Response:
    return problem_response(Invalid("A text of the request holds a NUL character, which cannot be stored."), 400)


async def _on_anything(error: Exception) -> Response:
    log.error("unhandled_error", exc_info=error)
    return problem_response(HttpProblem("Something went wrong on our side; the request id finds it in the log."), 500)


def install(app: Quart) -> None:
    """Make every error of the application, the framework's own included, a problem document."""
    app.register_error_handler(HttpProblem, _on_failure)
    app.register_error_handler(RequestSchemaValidationError, _on_validation)
    app.register_error_handler(HTTPException, _on_http_exception)
    for kind in TRANSIENT_ERRORS:
        app.register_error_handler(kind, _on_database_gone)
    for kind in NUL_IN_TEXT:
        app.register_error_handler(kind, _on_no_text)
    app.register_error_handler(Exception, _on_anything)
