"""How the OpenAPI document describes problem documents: a description, a header and examples of each status."""

import re
from http import HTTPStatus
from typing import Any

import msgspec

from common.web.errors import STATUS, FieldError, HttpProblem, Problem, code_of_phrase

PROBLEM_DESCRIPTIONS = {
    400: "The request is not valid; `errors` names every invalid field.",
    401: "The credentials are missing or invalid.",
    403: "The credentials do not permit this operation, or a page of another site sent the request.",
    404: "Not found.",
    406: "The Accept header allows none of the media types of the response.",
    409: "The request conflicts with the current state.",
    413: "The request body is too large.",
    415: "Unsupported media type or encoding of the body.",
    416: "The range is outside the content.",
    422: "The Idempotency-Key was used with another request.",
    429: "Too many requests; try again after Retry-After seconds.",
    500: "Internal error.",
    503: "Temporarily unavailable; try again after Retry-After seconds.",
}

PROBLEM_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}

CODES = {status: kind.code for kind, status in STATUS.items()} | {500: HttpProblem.code}
CODES[416] = code_of_phrase(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
"""The code of a problem by status, where an operation has no code of its own."""

REQUEST_ID = "67256a06195aeb7d10cdd3bbc0f5077e"
INVALID_FIELD = FieldError("name", "is required")

_CLAUSE = re.compile(r"([^,;.()`]+) \(((?:`[a-z_]+`(?:, )?)+)\)")
"""What is wrong, with the codes that say so: `The id is taken (`property_exists`)`."""


def problem_example(status: int, detail: str, code: str) -> dict[str, Any]:
    """Return a problem document as an example."""
    errors = [INVALID_FIELD] if status == 400 else []
    title = HTTPStatus(status).phrase
    problem = Problem("about:blank", title, status, detail, code, REQUEST_ID, errors)
    return {"value": msgspec.to_builtins(problem)}


def shared_examples() -> dict[str, Any]:
    """Return the examples of the problems that many operations share, by name."""
    return {
        f"Problem{status}": problem_example(
            status, "The request is not valid." if status == 400 else PROBLEM_DESCRIPTIONS[status], code
        )
        for status, code in CODES.items()
    }


def examples_of(status: int, description: str) -> dict[str, Any]:
    """Return the examples of a problem response by code: one of each code that the description names in brackets."""
    own = {}
    for clause, codes in _CLAUSE.findall(description):
        words = re.sub(r"^(?:or|and) ", "", clause.strip())
        for code in re.findall(r"[a-z_]+", codes):
            own[code] = problem_example(status, f"{words[0].upper()}{words[1:]}.", code)
    return own or {CODES[status]: {"$ref": f"#/components/examples/Problem{status}"}}
