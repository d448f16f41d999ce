"""Gives hostile files to every reader of files, and states what must hold for each of them."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from tests.fuzz.corpus_files import HostileFile
from tests.fuzz.file_readers import Figures, Place, Reader, Row, readers_of, require
from tests.fuzz.requests import faults_of_logs

FEW = 0.3
"""The share of the files that are read as a trial first, and of those that are read once more."""


@dataclass
class FileFuzzResult:
    """How many files had each outcome, and a line for each file that breaks a rule."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


async def fuzz_files(place: Place, number: int, seed: int) -> FileFuzzResult:
    """Give `number` hostile files to the readers of an application.

    No reader raises or logs an error. A refused file, and a trial, store nothing; what is said about a file that is
    taken adds up and is what is stored; a trial says the same; the same file again stores nothing more; a file of the
    corpus in another form is stored as the file itself.
    """
    choice = random.Random(seed)
    result = FileFuzzResult()
    readers = readers_of(place)
    expected = {reader: await learn(reader) for reader in readers}
    for _ in range(number):
        reader = choice.choice(readers)
        file = reader.make(choice)
        with capture_logs() as logs, captured_records() as records:
            reading = asyncio.create_task(check(reader, file, choice, expected[reader]))
            await asyncio.wait([reading])
        broken = reading.exception()
        reasons = [*faults_of_logs(logs), *(f"logged {record.getMessage()}" for record in records)]
        if broken is not None:
            reasons.append(f"{type(broken).__name__}: {broken}")
        result.outcomes["broken" if broken else reading.result()] += 1
        result.faults += [f"{describe(reader, file)}: {reason}" for reason in reasons]
    await readers[0].clear()
    return result


async def learn(reader: Reader) -> list[Row]:
    """Read the file of the corpus; returns what is stored of it."""
    await reader.clear()
    told = await reader.read(reader.seed.as_file(), random.Random(0), is_trial=False)
    stored = await reader.stored()
    assert told == Figures(len(stored), len(stored), 0), (reader.name, told, stored)
    return stored


async def check(reader: Reader, file: HostileFile, choice: random.Random, expected: list[Row]) -> str:
    """Give a file to a reader, and compare what it says with what it stores; returns the outcome.

    expected: what the file of the corpus is stored as. Raises BrokenRuleError, and what the reader raises.
    """
    await reader.clear()
    trial = None
    if reader.has_trial and choice.random() < FEW:
        trial = await reader.read(file, choice, is_trial=True)
        require(await reader.stored() == [], "a trial stored rows")
    told = await reader.read(file, choice, is_trial=False)
    stored = await reader.stored()
    require(trial in (None, told), f"the trial said {trial}, but the import {told}")
    await reader.require_record(told)
    if isinstance(told, str):
        require(stored == [], f"is refused ({told[:200]}), but stored {len(stored)} rows")
        require(not file.is_faithful, f"is a file of the corpus in another form, but refused: {told[:300]}")
        return "refused"
    require(told.stored == len(stored), f"said {told}, but {len(stored)} rows are stored")
    require(told.stored + told.rejected <= told.rows, f"says more than its rows: {told}")
    require(told.rows > told.rejected or (reader.takes_empty and told.rows == 0), f"has no valid row, but said {told}")
    require(file.rows in (None, told.rows), f"has {file.rows} rows, but said {told}")
    if file.is_faithful:
        require(stored == expected and told.rejected == 0, f"is a file of the corpus in another form, but said {told}")
    if reader.can_repeat and choice.random() < FEW:
        again = await reader.read(file, choice, is_trial=False)
        expected_again = [told._replace(stored=0, rejected=number) for number in reader.may_reject_again(told)]
        require(again in expected_again, f"said {told}, then {again}")
        require(await reader.stored() == stored, "changed what is stored when it came again")
    return "partly stored" if told.rejected else "stored"


@contextmanager
def captured_records() -> Iterator[list[logging.LogRecord]]:
    """The errors that libraries log during the block."""
    records: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Handler(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield records
    finally:
        logging.getLogger().removeHandler(handler)


def describe(reader: Reader, file: HostileFile) -> str:
    return f"{reader.name}: a file of {len(file.data)} bytes ({'; '.join(file.steps)}): {file.data[:400]!r}"
