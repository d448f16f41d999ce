"""Every reader of files of the product, each with what it says about a file and with what it stored."""

import contextlib
import csv
import io
import random
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

import dashboard.uptime.cli
import provider.booking_events.cli
import provider.stays.cli.import_stays
from common.config import Secret
from common.csv_import import ImportOptions
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.upstream import UpstreamError, create_client_session
from common.web.resources import Application
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.sources import PATHS, source_at
from dashboard.uptime.jobs import PullOptions, pull_store_files
from dashboard.uptime.routes.imports import ACCEPTED_MEDIA_TYPES
from provider.booking_events.service import append_events
from tests.fuzz.corpus_files import CORPUS, HostileFile, Seed, read_seed
from tests.fuzz.file_mutation import make_file, make_lines
from tests.fuzz.file_service import Answer, FileService

Row = tuple[Any, ...]


class Figures(NamedTuple):
    """What a reader says about a file that it took: the rows in it, and how many were stored now and rejected."""

    rows: int
    stored: int
    rejected: int


NO_POLLS = "the files contain no polls yet"
"""What a pull says while there are no polls: after a file without rows, whose import is recorded, or after one that it
could not read, of which nothing is recorded."""


class BrokenRuleError(Exception):
    """What a reader does breaks a rule."""


def require(holds: object, rule: str) -> None:
    if not holds:
        raise BrokenRuleError(rule)


@dataclass(frozen=True)
class Place:
    """Where the readers of an application work. service: what store files are pulled from."""

    app: Application
    db: asyncpg.Pool
    url: Secret
    folder: Path
    service: FileService


class Reader(ABC):
    """A way for files into the product.

    content: the statement that selects what a file became. tables: those that a file changes. has_trial: whether it can
    read a file without storing it. can_repeat: whether the same file again adds nothing. takes_empty: whether a file
    may have no rows.
    """

    name: str
    content: str
    tables: tuple[str, ...]
    has_trial = True
    can_repeat = True
    takes_empty = False

    def __init__(self, place: Place, seed: Seed) -> None:
        self.place = place
        self.seed = seed

    def make(self, choice: random.Random) -> HostileFile:
        return make_file(choice, self.seed)

    @abstractmethod
    async def read(self, file: HostileFile, choice: random.Random, *, is_trial: bool) -> Figures | str:
        """Give the file to the product; returns its figures, or its refusal. Raises BrokenRuleError."""

    async def stored(self) -> list[Row]:
        return [tuple(row) for row in await self.place.db.fetch(self.content)]

    async def clear(self) -> None:
        """Empty the tables, also those that the product only adds to."""
        statements = "; ".join(f"DELETE FROM {table}" for table in self.tables)
        async with self.place.db.acquire() as connection:
            await connection.execute(f"SET session_replication_role = replica; {statements}")

    async def require_record(self, told: Figures | str) -> None:
        """Raises BrokenRuleError if what the product remembers of the file is not what it has said."""
        del told  # most readers remember nothing

    def may_reject_again(self, told: Figures) -> Sequence[int]:
        """How many rows may be rejected when the same file comes again."""
        return [told.rejected]


# The commands of the provider.


@dataclass(frozen=True)
class Printed:
    """What a command printed, and its exit status."""

    status: int
    output: str
    errors: str

    def refusal(self, files_before: str = "") -> str:
        """The reason of a refusal. files_before: a pattern of the lines about files that were taken before this one."""
        lines = self.errors.splitlines()
        is_silent = re.fullmatch(files_before, self.output) is not None
        require(self.status == 1 and is_silent, f"is refused, but ends with {self}")
        require(lines and lines[0].startswith("nightaudit: "), f"is refused without a reason: {self}")
        return lines[0]


async def run(command: Awaitable[int]) -> Printed:
    """Run a command in this process."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        status = await command
    printed = Printed(status, output.getvalue(), errors.getvalue())
    require("PostgreSQL failed" not in printed.errors, f"made PostgreSQL fail: {printed.errors}")
    return printed


def put(place: Place, name: str, data: bytes) -> Path:
    path = place.folder / name
    path.write_bytes(data)
    return path


def require_rejected_file(path: Path, name: str, rejected: int) -> None:
    """The file of rejected lines names each of them once, with its number, reason and text."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    require(header == ["file", "line", "reason", "text"], f"rejected lines begin with {header}")
    numbers = [int(line[1]) for line in lines if line[0] == name]
    require(len(numbers) == rejected, f"{rejected} lines were rejected, but the file names {len(numbers)}")
    require(len(set(numbers)) == len(numbers), f"the file of rejected lines repeats lines: {numbers}")
    require(all(line[2] for line in lines), "a rejected line has no reason")


def expected_status(printed: Printed) -> int:
    """1 if no row of any file was taken, or one was rejected."""
    figures = re.findall(
        r"(\d+) (?:would be )?stored, (\d+) already stored, (\d+) rejected$", printed.output, re.MULTILINE
    )
    taken = sum(int(new) + int(known) for new, known, _ in figures)
    return 1 if not taken or any(int(rejected) for *_, rejected in figures) else 0


class ImportCommand(Reader):
    """A command of the provider, which prints a line of figures for each file.

    files_before: a pattern of the lines about files that the command takes before this one.
    """

    files_before = ""

    async def read(self, file: HostileFile, choice: random.Random, *, is_trial: bool) -> Figures | str:
        path = put(self.place, self.seed.name + file.suffix, file.data)
        rejected = self.place.folder / "rejected.csv" if choice.random() < 0.5 else None
        printed = await run(self.command(path, ImportOptions(dry_run=is_trial, rejected=rejected)))
        words = "would be stored" if is_trial else "stored"
        pattern = rf"^{re.escape(path.name)}: (\d+) {words}, (\d+) already stored, (\d+) rejected$"
        found = re.search(pattern, printed.output, re.MULTILINE)
        if found is None:
            return printed.refusal(self.files_before)
        new, known, rejections = map(int, found.groups())
        require(printed.status == expected_status(printed), f"ends with {printed}")
        if rejected is not None:
            require_rejected_file(rejected, path.name, rejections)
        return Figures(new + known + rejections, new, rejections) if new + known else "no row was taken"

    @abstractmethod
    def command(self, path: Path, options: ImportOptions) -> Awaitable[int]:
        """The command with this file."""


class ImportEvents(ImportCommand):
    name = "import"
    content = "SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay FROM booking_event ORDER BY id"
    tables = ("booking_event",)

    def command(self, path: Path, options: ImportOptions) -> Awaitable[int]:
        return provider.booking_events.cli.import_event_file(self.place.url, path, options)


class ImportProperties(ImportCommand):
    name = "import-stays (properties)"
    content = "SELECT property_id, description FROM property ORDER BY property_id"
    tables = ("property", "reservation", "free_stretch")

    def command(self, path: Path, options: ImportOptions) -> Awaitable[int]:
        return import_stays(self.place, path, CORPUS / "reservations.csv", options)


class ImportReservations(ImportCommand):
    name = "import-stays (reservations)"
    content = "SELECT property_id, arrival, departure FROM reservation ORDER BY property_id, arrival"
    tables = ("property", "reservation", "free_stretch")
    files_before = r"(properties\.csv: \d+ stored, \d+ already stored, 0 rejected\n)?"

    def command(self, path: Path, options: ImportOptions) -> Awaitable[int]:
        return import_stays(self.place, CORPUS / "properties.csv", path, options)

    def may_reject_again(self, told: Figures) -> Sequence[int]:
        """A repeated row is then as stored as the first."""
        return range(told.rejected + 1)


def import_stays(place: Place, properties: Path, reservations: Path, options: ImportOptions) -> Awaitable[int]:
    return provider.stays.cli.import_stays.import_files(place.url, properties, reservations, append_events, options)


class PostBatch(Reader):
    """Booking events as lines of JSON over HTTP."""

    name = "POST /events/batch"
    content = (
        "SELECT hotel_id, event_timestamp, status, room_id, night_of_stay FROM booking_event ORDER BY 1, 2, 3, 4, 5"
    )
    tables = ("booking_event",)
    has_trial = False
    can_repeat = False  # the server assigns ids

    def make(self, choice: random.Random) -> HostileFile:
        return make_lines(choice, self.seed)

    async def read(self, file: HostileFile, choice: random.Random, *, is_trial: bool) -> Figures | str:
        media_type = (
            "application/x-ndjson" if file.is_faithful or choice.random() < 0.95 else choice.choice(("text/csv", ""))
        )
        answer = await send(self.place.app, "POST", "/events/batch", file, media_type)
        if answer.status_code != 201:
            return await refusal(answer)
        body = await answer.get_json()
        return Figures(body["stored"] + body["duplicates"], body["stored"], 0)


async def send(app: Application, method: str, path: str, file: HostileFile, media_type: str) -> Any:
    """Send a file over HTTP; returns the response."""
    headers = {"Content-Type": media_type} | ({"Content-Encoding": e} if (e := file.content_encoding) else {})
    client: Any = app.test_client()
    return await client.open(path, method=method, data=file.data, headers=headers)


async def refusal(answer: Any) -> str:
    """The detail of a refused file, which is a problem document."""
    require(answer.status_code in (400, 409, 413, 415), f"is answered with {answer.status_code}")
    require(answer.mimetype == "application/problem+json", f"is refused with {answer.mimetype}")
    problem = await answer.get_json()
    require({"type", "title", "status", "detail", "code", "request_id"} <= set(problem), f"is refused with {problem}")
    return f"{problem['detail']} {problem.get('errors')}"


# The store files of the dashboard.

STORE_SEEDS = {
    StoreFile.STATUS: "status.csv",
    StoreFile.BUSINESS_HOURS: "business_hours.csv",
    StoreFile.TIMEZONES: "timezones.csv",
}
STORE_CONTENT = {
    StoreFile.STATUS: "SELECT store_id, polled_at, active FROM store_poll ORDER BY 1, 2",
    StoreFile.BUSINESS_HOURS: "SELECT store_id, weekday, opens::text, closes::text FROM store_hours ORDER BY 1, 2, 3",
    StoreFile.TIMEZONES: "SELECT store_id, timezone FROM store WHERE timezone IS NOT NULL ORDER BY 1",
}


class StoreReader(Reader):
    """A reader of store files, which are of three kinds. way: how they come."""

    way: str
    tables = ("store", "store_poll", "store_hours", "poll_span", "store_import", "store_file_pull", "rate_limit")

    def __init__(self, place: Place, kind: StoreFile) -> None:
        super().__init__(place, read_seed(STORE_SEEDS[kind]))
        self.kind = kind
        self.content = STORE_CONTENT[kind]
        self.name = f"{self.way} ({kind})"

    async def require_record(self, told: Figures | str) -> None:
        rows = await self.place.db.fetch(
            "SELECT rows, new, rejected_total FROM store_import WHERE kind = $1 ORDER BY import_id", self.kind
        )
        recorded = [Figures(*row) for row in rows]
        expected = [[] if isinstance(told, str) else [told]]
        if told == NO_POLLS:
            expected.append([Figures(0, 0, 0)])
        require(recorded in expected, f"said {told}, but recorded {recorded}")


def one_in(number: int, file: HostileFile) -> bool:
    """Whether something is done to this file that is done to one in so many; the same each time that it is read."""
    return not file.is_faithful and zlib.crc32(file.data) % number == 0 and file.data != b""


class Upload(StoreReader):
    way = "PUT /stores"
    has_trial = False

    async def read(self, file: HostileFile, choice: random.Random, *, is_trial: bool) -> Figures | str:
        media_type = choice.choice(ACCEPTED_MEDIA_TYPES)
        if one_in(30, file):
            media_type = ("", "application/json", "multipart/form-data; boundary=x")[len(file.data) % 3]
        whole = choice.random() < 0.5
        path = f"/stores/{self.kind}" + ("?rejected=all" if whole else "")
        answer = await send(self.place.app, "PUT", path, file, media_type)
        if answer.status_code != 200:
            return await refusal(answer)
        body = await answer.get_json()
        told = Figures(body["rows"], body["new"], body["rejected_total"])
        listed = [line["line"] for line in body["rejected"]]
        expected = told.rejected if whole else min(100, told.rejected)
        require(len(listed) == expected, f"rejected {told.rejected} lines, but lists {listed}")
        require(len(set(listed)) == len(listed), f"lists a rejected line twice: {listed}")
        return told


class ImportStores(StoreReader):
    way = "import-stores"

    async def read(self, file: HostileFile, choice: random.Random, *, is_trial: bool) -> Figures | str:
        path = put(self.place, self.seed.name + file.suffix, file.data)
        rejected = self.place.folder / "rejected.csv" if choice.random() < 0.5 else None
        options = ImportOptions(dry_run=is_trial, rejected=rejected)
        printed = await run(dashboard.uptime.cli.import_files(self.place.url, [(self.kind, path)], options))
        words = "would be new" if is_trial else "new"
        found = re.fullmatch(rf"{re.escape(path.name)}: (\d+) rows, (\d+) {words}, (\d+) rejected\n", printed.output)
        if found is None:
            return printed.refusal()
        told = Figures(*map(int, found.groups()))
        require(printed.status == (1 if told.rejected else 0), f"ends with {printed}")
        if rejected is not None:
            require_rejected_file(rejected, path.name, told.rejected)
        return told


class Pull(StoreReader):
    """Pulls the file together with two good files of the corpus. A bad file must not keep these from being stored."""

    has_trial = False
    takes_empty = True

    @abstractmethod
    def offer(self, files: Mapping[StoreFile, HostileFile], choice: random.Random) -> str:
        """Offer the files; returns where they are."""

    async def read(self, file: HostileFile, choice: random.Random, *, is_trial: bool) -> Figures | str:
        others = {kind: read_seed(name) for kind, name in STORE_SEEDS.items() if kind is not self.kind}
        location = self.offer({**{kind: seed.as_file() for kind, seed in others.items()}, self.kind: file}, choice)
        rows = sum(len(seed.rows) for seed in others.values())
        before = await self.count(others)
        try:
            result = await self.pull(location)
        except UpstreamError as error:
            return str(error)
        finally:
            require(await self.count(others) == rows, "kept the other files from being pulled")
        if result["files"] < len(StoreFile):
            return "not read"
        return Figures(int(result["rows"]) - rows, int(result["new"]) - (rows - before), int(result["rejected"]))

    async def count(self, kinds: Iterable[StoreFile]) -> int:
        """How many rows of these kinds are stored."""
        return sum([await self.place.db.fetchval(f"SELECT count(*) FROM ({STORE_CONTENT[kind]})") for kind in kinds])

    async def pull(self, location: str) -> JobResult:
        async with create_client_session() as client:

            async def run_job(lease: Lease) -> JobResult:
                options = PullOptions(timedelta(hours=1), read_all=True)
                source = source_at(client, location)
                return await pull_store_files(self.place.db, lease, source, datetime.now(UTC), options)

            return await run_now(self.place.db, Job("pull_stores", 3600, run_job))


class PullFromDirectory(Pull):
    way = "pull from a directory"

    def offer(self, files: Mapping[StoreFile, HostileFile], choice: random.Random) -> str:
        folder = self.place.folder / "stores"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for kind, file in files.items():
            (folder / f"{kind}{file.suffix}").write_bytes(file.data)
        return str(folder)


class PullFromService(Pull):
    way = "pull over HTTP"

    def offer(self, files: Mapping[StoreFile, HostileFile], choice: random.Random) -> str:
        promised = 5 if one_in(10, files[self.kind]) else 0
        for kind, file in files.items():
            self.place.service.answers[PATHS[kind]] = Answer(
                file.data, file.content_encoding, promised if kind is self.kind else 0
            )
        return self.place.service.url


def readers_of(place: Place) -> Sequence[Reader]:
    """All readers of an application."""
    if place.app.name == "provider":
        return [
            ImportEvents(place, read_seed("booking_events.csv")),
            PostBatch(place, read_seed("booking_events.ndjson")),
            ImportProperties(place, read_seed("properties.csv")),
            ImportReservations(place, read_seed("reservations.csv")),
        ]
    return [
        kind_of_reader(place, kind)
        for kind_of_reader in (Upload, ImportStores, PullFromDirectory, PullFromService)
        for kind in StoreFile
    ]
