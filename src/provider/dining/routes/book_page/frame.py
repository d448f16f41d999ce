"""What the pages on which guests order a table have in common."""

from datetime import UTC, datetime
from typing import Any

from quart import Response
from werkzeug.datastructures import MultiDict

from common.web.html import Templates
from provider.dining.order_rules import MAX_AHEAD
from provider.dining.page_views.forms import Context, Wish, repeated_times
from provider.dining.page_views.times import last_day
from provider.resources import resources

PATH = "/book"
ORDER_PATH = f"{PATH}/order"

templates = Templates("provider.dining")


def book_page(template: str, *, wish: Wish, status: int = 200, **content: Any) -> Response:
    """A page of these. Its Referrer-Policy lets forms say that they come from here."""
    settings, now = resources().dining, datetime.now(UTC)
    page = templates.page(
        template,
        wish=wish,
        settings=settings,
        path=PATH,
        first_day=now.astimezone(settings.zone).date(),
        last_day=last_day(now, MAX_AHEAD, settings.zone),
        repeated=repeated_times(wish, settings.zone),
        **content,
    )
    page.headers["Referrer-Policy"] = "same-origin"
    page.status_code = status
    return page


def wish_of(given: MultiDict[str, str], absent: Wish) -> Wish:
    """What was typed. absent: in place of what the request does not name."""
    return Wish(**{name: given.get(name, value).strip() for name, value in absent.__dict__.items()})


def context_at(now: datetime) -> Context:
    settings = resources().dining
    return {"now": now, "zone": settings.zone, "region": settings.phone_region}
