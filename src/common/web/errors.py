"""The errors that slices raise, their HTTP statuses, and the problem documents (RFC 9457) that answer them."""

import errno
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

import asyncpg
import msgspec
import pydantic
import structlog
from quart import Quart, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable

from common.db.errors import (
    NUL_IN_TEXT,
    TRANSIENT_ERRORS,
    describe_failure,
    explain_unavailability,
    is_node_failure,
)
from common.web import responses
from common.web.error_wording import message_of
from common.web.resources import Application, current_application

log = structlog.get_logger()

PROBLEM_TYPE = "application/problem+json"

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

PROBLEMS_ATTRIBUTE = "_problems"
"""Marks a view with the statuses that its decorators may answer, for the OpenAPI document."""

V = TypeVar("V", bound=Callable[..., Any])


def document_problems(view: V, *statuses: int) -> V:
    """Return the view, marked with statuses that a decorator may answer besides those marked before."""
    setattr(view, PROBLEMS_ATTRIBUTE, getattr(view, PROBLEMS_ATTRIBUTE, frozenset()) | set(statuses))
    return view


class FieldError(msgspec.Struct, frozen=True):
    """One invalid field of the input: its dotted path and a message."""

    field: str
    """Dotted path of the field, or the name of the query parameter."""
    message: str
    """What is wrong with the value."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document (RFC 9457); `code` is stable and meant for programs."""

    type: str
    """Always `about:blank`: the title says what kind of problem this is."""
    title: str
    """The phrase of the HTTP status."""
    status: int
    """The HTTP status."""
    detail: str
    """What happened, in words for people."""
    code: str
    """What happened, in a word for programs."""
    request_id: str
    """Id of the request, as in the header X-Request-ID and in the log."""
    errors: list[FieldError] = []
    """Every invalid field of the request."""


class HttpProblem(Exception):  # noqa: N818 - named after the problem document that it becomes
    """Base of the errors that views may raise. `extra` members join the problem document, `headers` the response."""

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
    """The request is not valid; `errors` names every invalid field."""

    code = "invalid"

    @classmethod
    def field(cls, name: str, message: str) -> "Invalid":
        return cls("The request is not valid.", errors=[FieldError(name, message)])


class Unauthorized(HttpProblem):
    """The credentials are missing or invalid. `challenge` becomes WWW-Authenticate."""

    code = "unauthorized"

    def __init__(self, detail: str, *, challenge: str = "Bearer", code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": challenge})


class Forbidden(HttpProblem):
    code = "forbidden"


class NotFound(HttpProblem):
    code = "not_found"


class NotAcceptable(HttpProblem):
    """The request accepts none of the media types that the response can have."""

    code = "not_acceptable"


class Conflict(HttpProblem):
    """A valid request that conflicts with the current state."""

    code = "conflict"


class TooLarge(HttpProblem):
    code = "too_large"


class UnsupportedMedia(HttpProblem):
    code = "unsupported_media_type"


class IdempotencyKeyReused(HttpProblem):
    """The idempotency key was used with another request."""

    code = "idempotency_key_reused"


class TooManyRequests(HttpProblem):
    """The caller has to wait `retry_after` seconds."""

    code = "too_many_requests"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class FailedPermanently(HttpProblem):
    """The requested operation failed, and a retry will not help; `detail` may say why."""

    code = "failed"


class Unavailable(HttpProblem):
    """The request cannot be served now; it may be repeated after `retry_after` seconds."""

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
    NotAcceptable: 406,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    IdempotencyKeyReused: 422,
    TooManyRequests: 429,
    FailedPermanently: 500,
    Unavailable: 503,
}


def field_errors(error: pydantic.ValidationError, prefix: tuple[str | int, ...] = ()) -> list[FieldError]:
    """Every error of a pydantic validation, with dotted paths. prefix: the path of the validated value."""
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in (*prefix, *detail["loc"])) or "body"
        found.append(FieldError(path, message_of(detail)))
    return found


RenderProblem = Callable[[HttpProblem, int], Response]


def set_error_format(app: Application, prefix: str, render_problem: RenderProblem) -> None:
    """Render errors of paths that begin with `prefix` with `render_problem`, not as problem documents."""
    app.error_formats[prefix] = render_problem


def problem_response(problem: HttpProblem, status: int) -> Response:
    """The response to an error: a problem document, the page for people, or the format of `set_error_format`."""
    app = current_application()
    for prefix, render_problem in app.error_formats.items():
        if request.path.startswith(prefix):
            return render_problem(problem, status)
    if app.error_page is not None and (page := app.error_page(problem, status)) is not None:
        return page
    title = HTTPStatus(status).phrase
    document = Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=problem.detail,
        code=problem.problem_code,
        request_id=g.get("request_id", ""),
        errors=problem.errors,
    )
    body = msgspec.to_builtins(document) | msgspec.to_builtins(problem.extra)
    response = Response(responses.encode_json(body), status=status, content_type=PROBLEM_TYPE)
    response.headers.update(problem.headers)
    return response


def status_of(problem: HttpProblem) -> int:
    return next(STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS)


async def _answer_problem(problem: HttpProblem) -> Response:
    return problem_response(problem, status_of(problem))


def code_of_phrase(status: HTTPStatus) -> str:
    """Return the code of the framework's own errors with a status: its phrase with underscores."""
    return status.phrase.lower().replace(" ", "_").replace("-", "_")


async def _answer_http_exception(error: HTTPException) -> Response:
    """Answer one of the framework's own errors, such as 404 or 405."""
    status = error.code or 500
    problem = HttpProblem(str(error.description or HTTPStatus(status).phrase), code=code_of_phrase(HTTPStatus(status)))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        problem.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        problem.headers["Content-Range"] = f"{error.units} */{error.length}"
    return problem_response(problem, status)


async def _answer_database_unavailable(error: Exception) -> Response:
    if isinstance(error, ValueError):  # asyncpg's InterfaceError for an argument of the wrong type: a bug
        return await _answer_unexpected_error(error)
    log.warning("database_unavailable", error=describe_failure(error))
    return problem_response(Unavailable(explain_unavailability(error), retry_after=2), 503)


async def _answer_internal_server_error(error: Exception) -> Response:
    """Answer 503 when a worker of a cluster is down; other internal errors of PostgreSQL are unexpected."""
    if is_node_failure(error):
        return await _answer_database_unavailable(error)
    return await _answer_unexpected_error(error)


async def _answer_os_error(error: OSError) -> Response:
    """Answer 503 when our disk is full, as for a full disk of the database; other failures of files are unexpected."""
    if error.errno not in DISK_FULL:
        return await _answer_unexpected_error(error)
    log.error("disk_full", error=str(error))
    return problem_response(Unavailable("The server has no disk space left at the moment.", retry_after=60), 503)


async def _answer_nul_in_text(_: Exception) -> Response:
    return problem_response(Invalid("The request contains a NUL character, which cannot be stored."), 400)


async def _answer_unexpected_error(error: Exception) -> Response:
    log.error("unhandled_error", exc_info=error)
    return problem_response(HttpProblem("Internal error; the log has its details under the request id."), 500)


def install(app: Quart) -> None:
    """Answer every error of the application, including the framework's own, with a problem document."""
    app.register_error_handler(HttpProblem, _answer_problem)
    app.register_error_handler(HTTPException, _answer_http_exception)
    for kind in TRANSIENT_ERRORS:
        app.register_error_handler(kind, _answer_database_unavailable)
    app.register_error_handler(asyncpg.InternalServerError, _answer_internal_server_error)
    for kind in NUL_IN_TEXT:
        app.register_error_handler(kind, _answer_nul_in_text)
    app.register_error_handler(OSError, _answer_os_error)
    app.register_error_handler(Exception, _answer_unexpected_error)
