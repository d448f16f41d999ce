"""Tracebacks in the log: they name the failure, and leave out the row that PostgreSQL quotes of it."""

import io
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NoReturn

import asyncpg
import pytest
import structlog

from common.db.pool import BoundedPool, Executor
from common.jobs.cleanup import NotDeletedError, Retention, forget_old
from common.jobs.scheduler import run_now
from common.telemetry.logging import configure_logging
from common.telemetry.tracebacks import traceback_text
from tests.common.telemetry.test_telemetry import Terminal
from tests.conftest import CurrentStderr

GUEST = "Ann Guest\nand 2 more lines\n\nof a note"
INSERT_TWICE = """
INSERT INTO idempotency_key (scope, key, fingerprint)
SELECT 'guests', $1, '' FROM generate_series(1, 2)
"""


@pytest.fixture
async def violation(ground_pool: BoundedPool) -> asyncpg.PostgresError:
    """A failure whose DETAIL quotes a guest's row."""
    with pytest.raises(asyncpg.UniqueViolationError) as raised:
        await ground_pool.execute(INSERT_TWICE, GUEST)
    assert GUEST in str(raised.value)
    return raised.value


@pytest.fixture(params=[io.StringIO, Terminal], ids=["file", "terminal"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    stream: io.StringIO = request.param()
    configure_logging(stream=stream)
    yield stream
    configure_logging(stream=CurrentStderr())


def raised_by(raising: Callable[[], NoReturn]) -> Exception:
    """The exception that a function raises, with its traceback."""
    with pytest.raises((RuntimeError, KeyError)) as raised:
        raising()
    return raised.value


def failure_with(violation: Exception) -> ExceptionGroup[Exception]:
    """A group of failures, of which one has the violation as its cause, and one came while it was handled."""

    def store() -> NoReturn:
        raise RuntimeError("not stored") from violation

    def recover() -> NoReturn:
        try:
            raise violation
        finally:
            raise KeyError("later")

    return ExceptionGroup("several", [raised_by(store), raised_by(recover)])


async def test_no_traceback_quotes_the_row_that_failed(violation: asyncpg.PostgresError, log: io.StringIO) -> None:
    for failure in (violation, failure_with(violation)):
        structlog.get_logger().error("structured", exc_info=failure)
        logging.getLogger("library").error("of a library", exc_info=failure)
    written = log.getvalue()

    assert "Ann" not in written
    assert "DETAIL" not in written
    assert (
        written.count("UniqueViolationError: duplicate key value violates unique constraint") == 4
    )  # a group names one exception once
    assert written.count("Traceback") >= 8
    assert written.count("several (2 sub-exceptions)") == 2


async def test_a_failure_keeps_its_detail_when_it_was_logged(violation: asyncpg.PostgresError) -> None:
    traceback_text((type(violation), violation, violation.__traceback__))

    assert violation.detail is not None
    assert GUEST in str(violation)


def test_other_texts_of_a_failure_stay_in_its_traceback() -> None:
    failure = asyncpg.UndefinedColumnError("there is no column x")
    failure.hint = "Perhaps you meant y."
    failure.add_note("In step 2.")
    text = traceback_text((type(failure), failure, None))

    assert text.splitlines()[-3:] == [
        "asyncpg.exceptions.UndefinedColumnError: there is no column x", "HINT:  Perhaps you meant y.", "In step 2.",
    ]  # fmt: skip


async def test_the_job_that_deletes_old_rows_does_not_quote_one_that_it_cannot_delete(ground_pool: BoundedPool) -> None:
    async def delete(db: Executor, *_: object) -> int:
        await db.execute(INSERT_TWICE, GUEST)
        return 0

    with pytest.raises(NotDeletedError) as raised:
        await run_now(ground_pool, forget_old(ground_pool, {"guests": Retention(timedelta(days=90), delete)}))
    assert str(raised.value).startswith("guests: UniqueViolationError: duplicate key")
    assert "Ann" not in str(raised.value)
    assert "Ann" not in await ground_pool.fetchval("SELECT last_error FROM job WHERE name = 'forget_old'")
