"""The page of alerts: those that fire now, and those that were resolved last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from quart import Blueprint, Response
from quart_schema import hide

from common.web.html import html_page
from common.web.page_frame import Alternate, duration_words, framed_page, page_tag, unchanged
from common.web.resources import pool
from dashboard.alert_rules import CATALOG_RULES
from dashboard.alerts.models import Alert
from dashboard.alerts.queries.alerts import select_alerts
from dashboard.alerts.service import hidden_rules, rules_without_detail
from dashboard.board.board_templates import templates
from dashboard.catalog.queries.products import select_product_names
from dashboard.resources import resources

blueprint = Blueprint("board_alerts", __name__)

PATH = "/board/alerts"
FIRING_SHOWN = 100
RESOLVED_SHOWN = 20
LIVE_SECONDS = 10
ADDRESSES: Mapping[str, str] = {
    "store_down": "/board/stores/{subject}",
    "collector_silent": "/board/stores",
    "price_below_mark": "/board/prices/{subject}",
    "back_in_stock": "/board/prices/{subject}",
    "feed_behind": "/board/system#feeds",
    "feed_cut_off": "/board/system#feeds",
    "audit_drift": "/board/system#audits",
    "job_failing": "/board/system#jobs",
}
"""Where a reader finds more about the subject of a rule; see `_address_of`."""
ALTERNATES = (
    Alternate("JSON", "application/json", "/alerts"),
    Alternate("CSV", "text/csv", "/alerts?format=csv"),
)


@dataclass(frozen=True)
class AlertRow:
    """An alert as the page shows it.

    subject: the name of a product, or the subject itself. address: where a reader finds more about it; empty for a
    product that was deleted. detail: empty for a reason that only operators may see. lasted: how long it fired, in
    words; empty while it fires.
    """

    rule: str
    subject: str
    address: str
    since: datetime
    detail: str
    lasted: str


@blueprint.get(PATH)
@html_page
@hide
async def get_alerts() -> Response:
    """Show the alerts that fire now, since when and why, and those that were resolved last."""
    hidden = hidden_rules(resources().config, for_operators=False)
    firing = await select_alerts(pool(), "firing", None, hidden, None, FIRING_SHOWN + 1)
    resolved = await select_alerts(pool(), "resolved", None, hidden, None, RESOLVED_SHOWN)
    products = {each.subject for each in (*firing, *resolved) if each.rule in CATALOG_RULES}
    names = await select_product_names(pool(), sorted(products)) if products else {}
    tag = await page_tag(firing, resolved, names)
    if (answer := unchanged(tag)) is not None:
        return answer
    return framed_page(
        templates,
        "alerts.html",
        tag,
        alternates=ALTERNATES,
        live_seconds=LIVE_SECONDS,
        firing=rows_of(firing[:FIRING_SHOWN], names),
        has_more=len(firing) > FIRING_SHOWN,
        resolved=rows_of(resolved, names),
    )


def rows_of(alerts: Sequence[Alert], names: Mapping[str, str], *, for_operators: bool = False) -> list[AlertRow]:
    """The rows of alerts. names: those of the products by id. for_operators: whether the page asks for their token."""
    without_detail = () if for_operators else rules_without_detail(resources().config)
    return [
        AlertRow(
            alert.label,
            names.get(alert.subject, alert.subject) if alert.rule in CATALOG_RULES else alert.subject,
            _address_of(alert, names),
            alert.since,
            "" if alert.state == "firing" and alert.rule in without_detail else alert.detail,
            "" if alert.state == "firing" else duration_words((alert.at - alert.since) / timedelta(seconds=1)),
        )
        for alert in alerts
    ]


def _address_of(alert: Alert, names: Mapping[str, str]) -> str:
    if alert.rule in CATALOG_RULES and alert.subject not in names:
        return ""
    if alert.rule == "dead_message":
        return "/board/system#outbox"
    return ADDRESSES.get(alert.rule, "").format(subject=quote(alert.subject, safe=""))
