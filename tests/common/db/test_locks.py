"""The advisory locks: their numbers are in one file, and none is there twice."""

import re
from pathlib import Path

from common.db import locks

SOURCE = Path(__file__).resolve().parents[3] / "src"
NUMBERS = {name: value for name, value in vars(locks).items() if name.isupper()}
CALL = re.compile(r"pg_(?:try_)?advisory_\w+\((?P<arguments>[^;\"]*)")


def test_no_number_is_used_twice() -> None:
    assert NUMBERS
    assert len(set(NUMBERS.values())) == len(NUMBERS)


def test_no_other_file_has_a_number_of_its_own() -> None:
    """SQL cannot import the file, so it has to repeat the number of a lock that functions of the database take."""
    calls = [
        (path.relative_to(SOURCE), number)
        for path in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.sql")]
        for call in CALL.finditer(path.read_text())
        for number in re.findall(r"(?<![$\w])\d[\d_]*", call["arguments"])
    ]
    functions = Path("provider/migrations/functions")
    assert {call for call in calls if call[0].name != "schema.sql"} == {
        (functions / "stays.sql", str(locks.PROPERTY_LOCK_SEED)),
        (functions / "stays.sql", str(locks.ALL_PROPERTIES_LOCK)),
        (functions / "stays.sql", str(locks.PROPERTY_SEGMENTS_LOCK)),
        (functions / "free_stretches.sql", str(locks.PROPERTY_SEGMENTS_LOCK)),
        (functions / "booking_events.sql", str(locks.WATCHED_ROOMS_LOCK)),
    }
