"""Tracebacks as the log has them: without PostgreSQL's DETAIL, which quotes the failing row, for example a guest's."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import asyncpg
from structlog.typing import ExcInfo


def traceback_text(exc_info: ExcInfo) -> str:
    """The traceback of an exception with those of its causes, as Python prints them."""
    with _details_hidden(exc_info[1]):
        return "".join(traceback.format_exception(*exc_info)).rstrip("\n")


def write_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """Write the traceback below a line of the log on a terminal. It has no local variables, which may be secrets."""
    stream.write("\n" + traceback_text(exc_info))


@contextmanager
def _details_hidden(error: BaseException) -> Iterator[None]:
    """While the block runs, no error of PostgreSQL among the exception and its causes has its DETAIL in its text."""
    details = [(each, each.detail) for each in _with_causes(error) if isinstance(each, asyncpg.PostgresError)]
    for failure, _ in details:
        failure.detail = None
    try:
        yield
    finally:
        for failure, detail in details:
            failure.detail = detail


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, all of its causes and contexts, and those that a group of exceptions has; each once."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
