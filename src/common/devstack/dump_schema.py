"""`python -m common.devstack.dump_schema FOLDER ...`: write FOLDER/schema.sql, the schema after FOLDER/migrations.

The text is the output of pg_dump, which sorts it, without the lines that differ between servers or say nothing. Data
that migrations insert is not part of it.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common.config import Secret
from common.db.migrate import migrate
from common.devstack.cluster_owner import binaries
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, attach

HEADER = """-- The schema after all migrations, for reading. Not for creating a database: its data is missing.
-- Written by `make schema`; a test compares it with the migrations.

SET check_function_bodies = off; -- functions stand before the tables that they read

"""

NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config\(.*|\\(un)?restrict .*)\n", re.MULTILINE)
"""Comments with versions and owners, settings of the session, commands of psql: all at the start of a line, where the
bodies of our functions have no comment."""


def dump_schema(url: Secret) -> str:
    """The schema of a database as SQL that creates it again."""
    command = [str(binaries() / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges", "--no-comments"]
    dumped = subprocess.run([*command, url.reveal()], capture_output=True, text=True, check=True).stdout
    statements = re.sub(r"\n{3,}", "\n\n", NOISE.sub("", dumped)).strip()
    return f"{HEADER}{statements.replace('public.', '')}\n"


def main(folders: list[Path]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="nightaudit-schema-") as data,
        attach(Path(data), settings=UNSAFE_FAST_SETTINGS) as pg,
    ):
        for folder in folders:
            pg.ensure_database(folder.name)
            url = Secret(pg.url(folder.name))
            asyncio.run(migrate(url, folder / "migrations"))
            (folder / "schema.sql").write_text(dump_schema(url))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
