"""The provider's resources, created in `app.py`, and the accessors for them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quart import current_app

from common.config import Secret
from common.db.distribution import TableLayout
from common.db.pool import BoundedPool
from common.web.resources import Application, CommonResources, Pools

if TYPE_CHECKING:
    from provider.booking_events.service import EventWriter
    from provider.config import Config
    from provider.dining.auth.passwords import Authenticator
    from provider.dining.settings import DiningSettings
    from provider.offers.service import OffersBehaviour
    from provider.simulated_hotels.jobs import Generator
    from provider.stays.calendars.sources import CalendarReader
    from provider.stays.service.feed_events import AppendEvents


@dataclass(frozen=True, kw_only=True)
class ProviderPools(Pools):
    """streams: for responses of any length, without time-outs."""

    streams: BoundedPool


@dataclass(frozen=True, kw_only=True)
class Resources(CommonResources):
    """events: where the events are stored. event_writer: stores single events. append_events: called by stays to append
    events to the feed. calendars: reads calendars of other sites. smtp_url: the server that takes the emails; None:
    they wait in the outbox.
    """

    pools: ProviderPools
    config: "Config"
    events: TableLayout
    event_writer: "EventWriter"
    append_events: "AppendEvents"
    calendars: "CalendarReader"
    generator: "Generator"
    offers: "OffersBehaviour"
    dining: "DiningSettings"
    authenticator: "Authenticator"
    smtp_url: Secret | None


def resources() -> Resources:
    """Return the resources of the provider that serves the current request."""
    return resources_of(current_app)  # type: ignore[arg-type]  # a proxy of the application


def resources_of(app: Application) -> Resources:
    """Return the resources of a running provider."""
    found = app.resources
    assert isinstance(found, Resources)
    return found
