"""The page of alerts: what fires now, and what was over last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quart import Blueprint, Response
from quart_schema import hide

from common.web.html import html_page
from common.web.page_frame import Alternate, duration_words, framed_page, page_tag, unchanged
from common.web.resources import pool
from dashboard.alert_rules import OPERATIONS_RULES
from dashboard.alerts.models import Alert
from dashboard.alerts.queries.alerts import select_alerts
from dashboard.alerts.service import hidden_rules
from dashboard.board.board_templates import templates
from dashboard.resources import resources

blueprint = Blueprint("board_alerts", __name__)

PATH = "/board/alerts"
FIRING_SHOWN = 100
RESOLVED_SHOWN = 20
LIVE_SECONDS = 10
ALTERNATES = (
    Alternate("JSON", "application/json", "/alerts"),
    Alternate("CSV", "text/csv", "/alerts?format=csv"),
)


@dataclass(frozen=True)
class AlertRow:
    """An alert as the page shows it. lasted: how long it fired, in words; empty while it fires."""

    rule: str
    subject: str
    since: datetime
    detail: str
    lasted: str


@blueprint.get(PATH)
@html_page
@hide
async def get_alerts() -> Response:
    """Show what fires now, since when and why, and what was over last."""
    hidden = hidden_rules(resources().config)
    firing = await select_alerts(pool(), "firing", None, hidden, None, FIRING_SHOWN + 1)
    resolved = await select_alerts(pool(), "resolved", None, hidden, None, RESOLVED_SHOWN)
    tag = await page_tag(firing, resolved)
    if (answer := unchanged(tag)) is not None:
        return answer
    return framed_page(
        templates,
        "alerts.html",
        tag,
        alternates=ALTERNATES,
        live_seconds=LIVE_SECONDS,
        firing=rows_of(firing[:FIRING_SHOWN]),
        has_more=len(firing) > FIRING_SHOWN,
        resolved=rows_of(resolved),
    )


def rows_of(alerts: Sequence[Alert]) -> list[AlertRow]:
    """The rows of alerts. Errors that operators alone may read are left out while operators have a token."""
    hides_errors = resources().config.operations_token is not None
    return [
        AlertRow(
            alert.label,
            alert.subject,
            alert.since,
            "" if hides_errors and alert.rule in OPERATIONS_RULES else alert.detail,
            "" if alert.state == "firing" else duration_words((alert.at - alert.since) / timedelta(seconds=1)),
        )
        for alert in alerts
    ]
