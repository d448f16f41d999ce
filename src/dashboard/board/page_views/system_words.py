"""Names, durations and errors of the system, as the page writes them."""

import re
from collections.abc import Mapping
from datetime import datetime

from common.web.charts.number_text import UNKNOWN, count_text
from common.web.page_frame import duration_words
from common.web.words import moment_text

JOB_LABELS: Mapping[str, str] = {
    "ingest_booking_events": "Reading booking events",
    "night_audit": "Night audit",
    "recount_hotels": "Recount of hotels in another time zone",
    "register_products": "Registering products",
    "refresh_offers": "Refreshing offers",
    "send_decisions": "Sending decisions to the restaurant",
    "pull_stores": "Reading store files",
    "make_reports": "Making reports on stores",
    "make_store_days": "Figures of stores by day",
    "forget_old": "Deleting old rows",
    "evaluate_alerts": "Evaluating alerts",
    "send_alerts": "Sending alerts",
}
"""What a job does, by its name without that of a feed."""

TOPIC_LABELS: Mapping[str, str] = {"decision": "Decisions to the restaurant", "alert": "Alerts to their receiver"}
"""What the messages of a topic are."""

POOL_LABELS: Mapping[str, str] = {
    "requests": "Requests",
    "jobs": "Jobs",
    "uptime": "Store files and reports",
    "replica": "Requests to the replica",
    "replica_streams": "Long reads of the replica",
}
"""What the connections of a pool are for."""

DID_LABELS: Mapping[str, tuple[str, str]] = {
    "files": ("file", "files"),
    "unchanged": ("unchanged file", "unchanged files"),
    "not_read": ("file not read", "files not read"),
    "rows": ("row", "rows"),
    "stores": ("store", "stores"),
    "due": ("product due", "products due"),
    "refreshed": ("refreshed", "refreshed"),
    "failed": ("failed", "failed"),
    "skipped": ("skipped", "skipped"),
    "changes": ("price change", "price changes"),
    "closed": ("offer closed", "offers closed"),
    "read": ("event read", "events read"),
    "read_again": ("read again", "read again"),
    "new": ("new", "new"),
    "late": ("recorded late", "recorded late"),
    "repaired": ("added", "added"),
    "changed_upstream": ("changed in the feed", "changed in the feed"),
    "missing_upstream": ("missing in the feed", "missing in the feed"),
    "rejected": ("rejected", "rejected"),
    "cut_off": ("cut-off", "cut-offs"),
    "firing": ("alert fires", "alerts fire"),
    "sent": ("sent", "sent"),
    "dead": ("given up", "given up"),
    "recounted": ("hotel recounted", "hotels recounted"),
    "made": ("report made", "reports made"),
}
"""What the numbers of jobs count, one and many, in the order in which they are read."""

MAX_ERROR_LENGTH = 240

_CLASS_NAME = re.compile(r"^\w*(?:Error|Exception): (?=.)")
_CALL_FAILED = re.compile(r"^(?P<call>[A-Z]{3,7} \S+): (?P<failure>\w+)(?: (?P<detail>.*))?$", re.DOTALL)
_HOST = re.compile(r"Cannot connect to host (\S+)")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z")
_BREAKER = "not called: the service has failed too often recently: "


def job_label(name: str) -> str:
    """What a job does, such as `Night audit of the feed north`."""
    job, _, feed = name.partition(":")
    label = JOB_LABELS.get(job, job)
    return f"{label} of the feed {feed}" if feed else label


def visible(text: str) -> str:
    """The text with what cannot be seen, such as control characters, written as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shortened(text: str, length: int) -> str:
    """The text, visible and on one line, and cut off with an ellipsis."""
    shown = visible(" ".join(text.split()))
    return shown if len(shown) <= length else f"{shown[: length - 1].rstrip()}…"


def error_words(error: str) -> str:
    """An error of a job or of a message for people: without the name of its class, and with what it means."""
    text = error
    while (shorter := _CLASS_NAME.sub("", text)) != text:
        text = shorter
    is_paused = text.startswith(_BREAKER)
    text = text.removeprefix(_BREAKER)
    if match := _CALL_FAILED.match(text):
        text = f"{match['call']} {_failure_words(match['failure'], match['detail'] or '')}"
    if is_paused:
        text = f"not called for some seconds after repeated failures, the last one: {text}"
    return shortened(_INSTANT.sub(r"\1 \2 UTC", text), MAX_ERROR_LENGTH)


def _failure_words(failure: str, detail: str) -> str:
    """What a failed call means, by the class of the error."""
    if host := _HOST.search(detail):
        return f"failed: nothing answers at {host[1]}"
    if "Timeout" in failure:
        return "was not answered in time"
    if failure in ("ServerDisconnectedError", "ClientOSError", "ConnectionResetError"):
        return "failed: the connection was closed"
    return f"failed: {failure} {detail}".rstrip()


def did_words(did: Mapping[str, float]) -> str:
    """What a run did: its numbers that are not 0."""
    order = {name: position for position, name in enumerate(DID_LABELS)}
    numbers = sorted(did.items(), key=lambda each: order.get(each[0], len(order)))
    words = [f"{count_text(number)} {_did_label(name, number)}" for name, number in numbers if number]
    return ", ".join(words) or ("nothing to do" if did else UNKNOWN)


def _did_label(name: str, number: float) -> str:
    one, many = DID_LABELS.get(name, (name.replace("_", " "),) * 2)
    return one if number == 1 else many


def clock(at: datetime, now: datetime) -> str:
    """The time of an instant in UTC, such as `12:04:31`, or such as `Sat 28 Nov, 12:04` if it is not of today."""
    return moment_text(at, now, seconds=True)


def ago(at: datetime, now: datetime) -> str:
    """How long ago an instant was, such as `12 min ago`."""
    return f"{duration_words(max(0.0, (now - at).total_seconds()))} ago"


def until(at: datetime, now: datetime) -> str:
    """How far ahead an instant is, such as `in 12 min`."""
    seconds = (at - now).total_seconds()
    return f"in {duration_words(seconds)}" if seconds >= 1 else "now"


def bytes_text(size: int | None) -> str:
    """A number of bytes such as `12.4 MB`; a dash where it is unknown."""
    if size is None:
        return UNKNOWN
    number, unit = float(size), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:,.0f} {unit}" if number >= 100 or unit == "bytes" else f"{number:.1f} {unit}"
