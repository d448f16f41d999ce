"""Hooks of schemathesis for both applications, with the rules that JSON Schema cannot express.

A refusal of a schema-valid request fails the run unless one of these rules explains it.
"""

import re
import time
from typing import Any

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.core.failures import Failure

from common.config import Secret
from common.web import signature

SECRET = Secret("demo-accounting-secret-of-make-run")

RULES = re.compile(
    "|".join(
        (
            r"is not a valid cursor for this list",  # a cursor is opaque: any text is valid by its schema
            r"requires `limit`",  # a cursor without a limit
            r"is after \w+__lte",  # a range that ends before it begins
            r"is (more than a day )?in the future",  # today is not known to a schema
            r"is not a valid instant",  # the year 0, or a leap second, fit `date-time`
            r"is not a valid date",
            r"is at the end of the calendar",  # its first and last moments cannot be stored
            r"must be from 1900-01-0[12] to 2(199-12-31|200-01-01)",  # bounds of dates are not known to a schema
            r"must not be before 1900-01-01",  # the same
            r"must have 1 to 255 characters",
            r"is after `to`",  # the same
            r"is above (seats|price)_max",  # a range that ends before it begins
            r"must not have more than two decimal places",  # `multipleOf` is reckoned in floating point
            r"must be a number from 0 to 999999999\.99 with at most two decimal places",
            r"is required unless email is given",
            r"is not a valid email address: .*",  # what a library says
            r"must be a phone number, such as .*|must begin with the code of the country.*",
            r"must not contain control characters or characters that turn or hide text",  # classes of characters
            r"\S+ (does not exist|happens twice) by the clocks of .*",  # clock changes are not known to a schema
            r"must be at most \d+, the number of seats of the table",  # its seats are not known to a schema
            r"must be within the opening hours .*",  # the same of the hours
            r"must be at (most|least) \d+ (days|minutes) ahead",  # today is not known to a schema
            r"can only be given together with starts_at",  # minutes without it
            r"is given twice for this day",
            r"is not a valid phone number",
            r"must be UTC or the time zone of a region, such as Europe/Berlin",  # their names are not known to a schema
            r"must have 1 to (100|200|300|1000|2000) characters",  # beside the spaces at the ends
            r"must be in the future",  # today is not known to a schema
            r"must be before the year 9998",
            r"is not a known property",
            r"must name at least one table",
            r"must not contain control characters, line breaks or invisible characters",  # classes of characters
            r"must contain a letter or a digit",  # the same
            r"must be after `from`|is more than 366 nights after `from`",  # how two dates stand to one another
            r"must (not be before|be at most 399 days after) `from`, which is as_of by default",  # the same
            r"is required with (hotel_id|room_id)",  # each requires the other, unless both are null
            r"is more than 730 days ahead",  # today is not known to a schema
            r"is in the past",  # the same
            r"is changed twice",
            r"is not under the provider's address",
            r"the header must name the columns .*",  # any text is a file by its schema
            r"the header names .* more than once .*",  # the same
            r"the header is longer than 10000 bytes",  # the same
            r"the file contains no rows",  # the same
            r"it ends in the middle of its (gzip|xz) data|its (gzip|xz|zip) data .*|it is a zip archive of .*",
            r"the file is empty",  # the same
            r"is not valid gzip",
            r"must be before `to`, which is now at the latest",  # how two instants stand to one another, and to now
            r"must be (at most|less than) 400 days before `to`|must not be after `to`",
            r"cannot be combined with `(store_id|from` and `to)`",  # two fields exclude one another
            r"must be from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d|must be after `from`",  # bounds of dates
            r"is in the future: polls that are still to come cannot be deleted",  # now decides
            r"names unknown stores: .*",  # the stored data decides
            r"is required with the other end",  # the same
            r"is not the group of any store",  # the stored data decides
            r"is required unless `back_in_stock` is true",
            r"must be a day if `from` is one, and an instant if it is not",
            r"is on the host '.*', which the operator does not allow",  # a setting decides
        )
    )
)
"""Messages of a 400 to a schema-valid request. Add the message of a new rule here, with the reason."""

CODES = frozenset({"idempotency_key_reused"})
"""Codes of a 422 to a schema-valid request: the key was used with another body before."""


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Take NDJSON out of bodies, which schemathesis cannot write; the array beside it has the same events."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            operation.get("requestBody", {}).get("content", {}).pop("application/x-ndjson", None)


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Replace 2.0 by 2: it is an integer in JSON Schema, but the applications refuse it."""
    return replace_whole_floats(body)


def replace_whole_floats(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [replace_whole_floats(each) for each in value]
    if isinstance(value, dict):
        return {name: replace_whole_floats(each) for name, each in value.items()}
    return value


AnyCase = schemathesis.Case[Any]


class Signed(AuthBase):
    """Signs requests as the other application does."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        assert isinstance(body, (str, bytes))  # requests allows streams too
        body = body.encode() if isinstance(body, str) else body
        request.headers[signature.SIGNATURE_HEADER] = signature.sign(SECRET, body, time.time())
        return request


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: AnyCase, kwargs: dict[str, Any]) -> None:
    """Replace a generated signature by the right one, except in cases that test invalid requests."""
    if signature.SIGNATURE_HEADER in (case.headers or {}) and case.meta and not case.meta.generation.mode.is_negative:
        kwargs["auth"] = Signed()


replayed: set[str] = set()
"""Responses that were replayed by Idempotency-Key; the resources in them may have been deleted since."""


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: AnyCase, response: schemathesis.Response) -> None:
    if "idempotent-replayed" in response.headers:
        replayed.add(response.text)


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: AnyCase, response: schemathesis.Response
) -> bool:
    """Return False for a refusal by one of the rules above."""
    if type(failure).__name__ == "IgnoredAuth":
        return "got `429 " not in failure.message  # several wrong tokens were sent before
    if type(failure).__name__ == "EnsureResourceAvailability":
        if case.operation.path.endswith("/mark"):
            return False  # a new product has none
        return not any(str(value) in body for value in case.path_parameters.values() for body in replayed)
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    problem = response.json()
    if response.status_code == 415:
        return "Content-Encoding" not in response.request.headers  # which no schema limits to gzip
    if response.status_code == 422:
        return problem["code"] not in CODES
    messages = [fault["message"] for fault in problem.get("errors", [])] or messages_of_offers_service(problem)
    return not messages or not all(RULES.fullmatch(message) for message in messages)


def messages_of_offers_service(problem: dict[str, Any]) -> list[str]:
    """The messages of an error of the offers service: its `msg` is a sentence, then `field: message; field: …`."""
    _, _, faults = str(problem.get("msg", "")).partition(". ")
    return [message for _, _, message in (fault.partition(": ") for fault in faults.split("; ") if fault)]
