"""HTTP of the state of the dashboard itself, which several slices make up."""

from datetime import UTC, datetime

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.web.bearer import operations_token_required
from common.web.openapi.document import operation
from common.web.responses import json_response
from dashboard.board.models import System
from dashboard.board.page_views.system_problems import Schedule, problems_of
from dashboard.board.parts import value_or_none
from dashboard.board.system_state import read_system
from dashboard.resources import resources

blueprint = Blueprint("board", __name__)
tag_blueprint(blueprint, ["operations"])

EXAMPLE_SYSTEM = {
    "checked_at": "2020-01-01T12:00:00Z",
    "problems": [{"part": "outbox", "sentence": "1 message was given up: decisions to the restaurant."}],
    "feeds": [
        {
            "feed": "main",
            "address": "http://127.0.0.1:9000",
            "data_through": "2020-01-01T11:59:58Z",
            "lag_seconds": 2.0,
            "events_last_hour": 240,
            "past_events": 338642,
            "about_events": 338642,
            "first_read_at": "2019-12-01T08:00:12Z",
            "cut_offs": 0,
            "first_cut_off": None,
            "cut_off_reason": None,
            "wait_until": None,
            "audit_started_at": None,
            "audited_through": None,
            "missing": 0,
            "changed": 0,
            "applied": 2,
            "applied_at": "2019-12-24T09:30:00Z",
        }
    ],
    "quarantine": {"values": 1, "new_last_day": 0, "newest": "2019-12-24T09:30:00Z"},
    "outbox": [
        {"topic": "decision", "waiting": 0, "waiting_since": None, "dead": 1, "sent_last_day": 14},
        {"topic": "alert", "waiting": 0, "waiting_since": None, "dead": 0, "sent_last_day": 2},
    ],
    "alerts_firing": 1,
    "checks": [{"name": "migrations", "ok": True, "detail": "up to date"}],
    "tables": [{"table": "ledger_event", "rows": 338642, "bytes": 61440000}],
    "workers": [],
    "pools": [{"pool": "requests", "in_use": 1, "open": 3, "max": 10}],
    "replica": None,
    "versions": {
        "nightaudit": "1.0.0",
        "python": "3.11.2",
        "quart": "0.20.0",
        "asyncpg": "0.30.0",
        "postgresql": "16.4",
    },
}


@blueprint.get("/system")
@operation(example=EXAMPLE_SYSTEM)
@operations_token_required
@document_response(System)
async def get_system() -> Response:
    """What works and what does not: feeds, quarantine, outbox, alerts and database; the page is `/board/system`.

    `GET /jobs` has the jobs, `GET /audits` the differences that the night audits found.
    """
    config = resources().config
    state = await read_system(resources(), datetime.now(UTC))
    firing = value_or_none(state.firing)
    system = System(
        state.read_at,
        problems_of(state, Schedule(config.ingest_seconds)),
        value_or_none(state.feeds),
        value_or_none(state.quarantine),
        value_or_none(state.outbox),
        None if firing is None else firing.count,
        value_or_none(state.checks),
        value_or_none(state.tables),
        value_or_none(state.workers),
        state.pools,
        state.replica,
        state.versions,
    )
    return json_response(system)
