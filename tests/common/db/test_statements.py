"""A file of SQL is split into its statements."""

import pytest

from common.db.statements import split_statements
from tests.conftest import MIGRATIONS


def statements(text: str) -> list[str]:
    return [statement.strip() for statement in split_statements(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("-- nothing; at all\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\n", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT 'it''s; 2'", ["SELECT ';'", "SELECT 'it''s; 2'"]),
        ('SELECT 1 AS "a;b"; SELECT 2', ['SELECT 1 AS "a;b"', "SELECT 2"]),
        ("-- one; two\nSELECT 1; -- three", ["-- one; two\nSELECT 1"]),
        ("/* ; */ SELECT 1", ["/* ; */ SELECT 1"]),
        ("DO $$ BEGIN; END $$; SELECT 1", ["DO $$ BEGIN; END $$", "SELECT 1"]),
        ("DO $a$ SELECT $$;$$; $a$; SELECT 1", ["DO $a$ SELECT $$;$$; $a$", "SELECT 1"]),
    ],
)
def test_a_text_is_split_into_its_statements(text: str, expected: list[str]) -> None:
    assert statements(text) == expected


@pytest.mark.parametrize("application", sorted(MIGRATIONS))
def test_the_statements_of_a_migration_are_its_text(application: str) -> None:
    for path in MIGRATIONS[application].rglob("*.sql"):
        text = path.read_text()
        assert "".join(f"{statement};" for statement in split_statements(text)).strip() == text.strip()
