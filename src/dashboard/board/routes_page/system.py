"""The page of the system: what is wrong now, and what an operator can do about it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from quart import Blueprint, Response
from quart_schema import hide

from common.jobs.lease import make_job_due
from common.outbox import admin
from common.web.errors import Invalid, NotFound
from common.web.html import PRIVATE_HEADERS, html_page
from common.web.input_types import PageInput
from common.web.page_frame import Alternate, framed_page, page_tag
from common.web.page_session import current_session, read_form, redirect, session_required, session_routes
from common.web.query_string import validate_querystring
from common.web.resources import pool
from dashboard.alerts.models import TOPIC as ALERT_TOPIC
from dashboard.board.board_templates import templates
from dashboard.board.page_views.links import address_with
from dashboard.board.page_views.system import dead_row, difference_row, feed_view, import_row, quarantined_row
from dashboard.board.page_views.system_jobs import audit_row, jobs_view
from dashboard.board.page_views.system_problems import Schedule, problems_of, works_words
from dashboard.board.page_views.system_words import (
    POOL_LABELS,
    TOPIC_LABELS,
    ago,
    bytes_text,
    clock,
    job_label,
)
from dashboard.board.parts import value_or_none, view_of
from dashboard.board.routes_page.alerts import rows_of
from dashboard.board.system_state import HIDDEN_SHOWN, SystemLists, SystemState, read_lists, read_system
from dashboard.bookings import service as bookings
from dashboard.bookings.queries.quarantine import select_quarantined_text
from dashboard.front_desk.service import TOPIC as DECISION_TOPIC
from dashboard.resources import resources
from dashboard.rights import SYSTEM

log = structlog.get_logger()

blueprint = Blueprint("board_system", __name__)
session_blueprint = session_routes(SYSTEM)

PATH = SYSTEM.path
LIVE_SECONDS = 10
FINGERPRINT_DIGITS = 64
AT_ONCE = 5
"""Values in quarantine, and messages that were given up, that are in sight; the others are there on request."""
ALTERNATES = (
    Alternate("JSON", "application/json", "/system"),
    Alternate("JSON of the jobs", "application/json", "/jobs"),
    Alternate("CSV of the jobs", "text/csv", "/jobs?format=csv"),
)

TEXT_POLICY = "default-src 'none'; sandbox"
"""The Content-Security-Policy of a text that anybody may have written: it is shown, and nothing of it runs."""


class Notice(NamedTuple):
    """What was done by a form. text: with `{job}`, `{message}` or `{hotel}` for the one that the form named.

    The name of a notice begins with the kind of its subject.
    """

    style: str
    text: str


NOTICES: Mapping[str, Notice] = {
    "job_due": Notice("good", "“{job}” was made due: a process begins it within a few seconds."),
    "job_running": Notice("good", "“{job}” was running. It was made due again, and runs once more after that run."),
    "job_not_begun": Notice("", "“{job}” has never run, and was due anyway. Nothing was changed."),
    "job_off": Notice("bad", "“{job}” is switched off, so it cannot run. Nothing was changed."),
    "message_due": Notice("good", "Message {message} was made due: it is sent within a few seconds."),
    "message_not_dead": Notice(
        "bad",
        "Message {message} was not given up, or no longer exists: it may wait again already. Nothing was changed.",
    ),
    "message_replaced": Notice(
        "bad",
        "Message {message} was not made due: a later message about the same subject exists, and the receiver would get "
        "the old state last. Nothing was changed.",
    ),
    "hotel_hidden": Notice(
        "good", "Hotel {hotel} was hidden: lists and sums leave it out, and its events stay counted."
    ),
    "hotel_shown": Notice("good", "Hotel {hotel} was put back into lists and sums."),
    "hotel_unchanged": Notice("", "Hotel {hotel} was in that state already. Nothing was changed."),
    "hotel_unknown": Notice("bad", "Hotel {hotel} is not in the feeds, and has no profile. Nothing was changed."),
}


class SystemPageQuery(PageInput):
    """What the form before this page did: the notice, and the job, the message or the hotel that it was about."""

    notice: str = ""
    job: str = ""
    message: str = ""
    hotel: str = ""


@blueprint.get(PATH)
@html_page
@hide
@session_required(SYSTEM)
@validate_querystring(SystemPageQuery)
async def get_system_page(query_args: SystemPageQuery) -> Response:
    """Show what is wrong now, and each part of the system with what an operator can do."""
    now = datetime.now(UTC)
    config = resources().config
    state, lists = await read_system(resources(), now), await read_lists(pool())
    # Something on the page changes with each second, so no browser has it already.
    tag = (await page_tag()).uncached()
    problems = problems_of(state, Schedule(config.ingest_seconds))
    return framed_page(
        templates,
        "system.html",
        tag,
        alternates=ALTERNATES,
        live_seconds=LIVE_SECONDS,
        csrf=current_session().csrf,
        needs_token=config.operations_token is not None,
        notice=notice_of(query_args),
        problems=problems,
        works=works_words(state),
        **sections(state, lists, now),
    )


def sections(state: SystemState, lists: SystemLists, now: datetime) -> dict[str, object]:
    """What the sections of the page show; a part that could not be read stands for itself."""
    config = resources().config
    schedule = Schedule(config.ingest_seconds)
    jobs, feeds = value_or_none(state.jobs) or [], value_or_none(state.feeds) or []
    differences, firing = value_or_none(lists.differences), value_or_none(state.firing)
    return {
        "system": state,
        "jobs": view_of(state.jobs, lambda found: jobs_view(found, now)),
        "feeds": [feed_view(feed, jobs, schedule, now) for feed in feeds],
        "audits": [audit_row(feed, jobs, now) for feed in feeds],
        "unapplied": sum(feed.missing + feed.changed for feed in feeds),
        "applied": sum(feed.applied for feed in feeds),
        "differences": lists.differences,
        "difference_rows": [difference_row(each, now) for each in differences.unapplied] if differences else [],
        "correction_rows": [difference_row(each, now) for each in differences.applied] if differences else [],
        "quarantined": view_of(lists.quarantined, lambda found: [quarantined_row(each, PATH, now) for each in found]),
        "imports": view_of(lists.imports, lambda found: [import_row(each, now) for each in found]),
        "hidden_hotels": lists.hidden_hotels,
        "most_hidden_hotels": HIDDEN_SHOWN,
        "may_hide_hotels": may_hide_hotels(),
        "quarantined_at_once": AT_ONCE,
        "dead_at_once": AT_ONCE,
        "dead": view_of(lists.dead, lambda found: [dead_row(each, retried_topics(), now) for each in found]),
        "dead_count": sum(topic.dead for topic in value_or_none(state.outbox) or []),
        "alerts": rows_of(firing.newest, firing.product_names, for_operators=True) if firing else [],
        "all_topics_can_be_retried": DECISION_TOPIC in retried_topics(),
        "keep_days": config.keep_traces_days,
        "topic_labels": TOPIC_LABELS,
        "pool_labels": POOL_LABELS,
        "ago": ago,
        "clock": clock,
        "bytes_text": bytes_text,
    }


def retried_topics() -> tuple[str, ...]:
    """The topics whose messages the page may retry; decisions of staff only where operators need a token."""
    return (ALERT_TOPIC,) if resources().config.operations_token is None else (ALERT_TOPIC, DECISION_TOPIC)


def may_hide_hotels() -> bool:
    """Whether the page may hide hotels: where profiles need a token, only operators who have one may."""
    config = resources().config
    return config.api_token is None or config.operations_token is not None


def notice_of(query: SystemPageQuery) -> Notice | None:
    """What the form before did; None without a form, and for an address that no form leads to."""
    found = NOTICES.get(query.notice)
    names_its_subject = {
        "job": any(job.name == query.job for job in resources().jobs),
        "message": is_id(query.message),
        "hotel": is_id(query.hotel),
    }
    if found is None or not names_its_subject[query.notice.partition("_")[0]]:
        return None
    return Notice(found.style, found.text.format(job=job_label(query.job), message=query.message, hotel=query.hotel))


@blueprint.post(f"{PATH}/jobs/run")
@html_page
@hide
@session_required(SYSTEM)
async def run_job() -> Response:
    """Make a job due now, so that a process begins it at its next look."""
    name = (await read_form(current_session())).get("job", "")
    job = next((each for each in resources().jobs if each.name == name), None)
    if job is None:
        raise NotFound("There is no job of this name.")
    notice = "job_off"
    if job.interval > 0:
        is_running = await make_job_due(pool(), name)
        log.info("operator_made_job_due", job=name)
        notice = {None: "job_not_begun", True: "job_running", False: "job_due"}[is_running]
    return redirect(address_with(PATH, {"notice": notice, "job": name}))


@blueprint.post(f"{PATH}/messages/retry")
@html_page
@hide
@session_required(SYSTEM)
async def retry_message() -> Response:
    """Make a message that was given up due now."""
    fields = await read_form(current_session())
    number, topic = fields.get("message", ""), fields.get("topic", "")
    if topic not in retried_topics() or not is_id(number):
        raise Invalid("The form is not valid.")
    notice = await retry(int(number), topic)
    log.info("operator_retried_message", message_id=int(number), topic=topic, result=notice)
    return redirect(address_with(PATH, {"notice": notice, "message": number}))


def is_id(number: str) -> bool:
    """Whether a text is the id of a message or of a hotel."""
    return number.isascii() and number.isdigit() and len(number) < 19 and int(number) > 0


async def retry(message_id: int, topic: str) -> str:
    """Make a dead message due; returns the name of the notice that says what was done."""
    if topic != ALERT_TOPIC:
        return "message_due" if await admin.retry_dead_message(pool(), message_id, topic) else "message_not_dead"
    result = await admin.retry_last_dead_message(pool(), message_id, topic)
    return {"retried": "message_due", "replaced": "message_replaced"}.get(result or "", "message_not_dead")


@blueprint.post(f"{PATH}/hotels/hide")
@html_page
@hide
@session_required(SYSTEM)
async def hide_hotel() -> Response:
    """Hide a hotel from lists and sums, or show it again, as the button says."""
    fields = await read_form(current_session())
    number, wanted = fields.get("hotel", "").strip(), fields.get("wanted", "")
    if not may_hide_hotels() or wanted not in ("hidden", "shown") or not is_id(number):
        raise Invalid("The form is not valid.")
    try:
        is_changed = await bookings.hide_hotel(pool(), int(number), is_hidden=wanted == "hidden")
        notice = f"hotel_{wanted}" if is_changed else "hotel_unchanged"
        log.info("operator_hid_or_showed_hotel", hotel_id=int(number), result=notice)
    except NotFound:
        notice = "hotel_unknown"
    return redirect(address_with(PATH, {"notice": notice, "hotel": str(int(number))}))


@blueprint.get(f"{PATH}/quarantine/<feed>/<fingerprint>")
@html_page
@hide
@session_required(SYSTEM)
async def get_quarantined_text(feed: str, fingerprint: str) -> Response:
    """The whole text of a quarantined value, as plain text."""
    found = None
    is_name = feed.isascii() and feed.isprintable()
    if is_name and len(fingerprint) == FINGERPRINT_DIGITS and set(fingerprint) <= set("0123456789abcdef"):
        found = await select_quarantined_text(pool(), feed, bytes.fromhex(fingerprint))
    if found is None:
        raise NotFound("This value is not in quarantine, or no longer.")
    headers = {
        **PRIVATE_HEADERS,
        "Content-Security-Policy": TEXT_POLICY,
        "Content-Disposition": f'inline; filename="quarantined-{fingerprint[:12]}.txt"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found, content_type="text/plain; charset=utf-8", headers=headers)
