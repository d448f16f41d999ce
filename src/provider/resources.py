"""The provider's resources, made in `app.py`, and the accessor by which routes reach them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quart import current_app

from common.config import Secret
from common.db.pool import BoundedPool
from common.web.resources import Application, CommonResources, Pools

if TYPE_CHECKING:
    from provider.booking_events.service import EventWriter
    from provider.config import Config
    from provider.dining.auth.passwords import Passwords
    from provider.dining.settings import Settings as DiningSettings
    from provider.offers.service import OffersBehaviour
    from provider.simulated_hotels.jobs import Generator
    from provider.stays.service import AppendEvents


@dataclass(frozen=True, kw_only=True)
class ProviderPools(Pools):
    """streams: for answers of any length, without time-outs."""

    streams: BoundedPool


@dataclass(frozen=True, kw_only=True)
class Resources(CommonResources):
    """event_writer: stores single events. append_events: called by stays to append events to the feed.

    smtp_url: the server that takes the mail; None: mail waits in the outbox.
    """

    pools: ProviderPools
    config: "Config"
    event_writer: "EventWriter"
    append_events: "AppendEvents"
    generator: "Generator"
    offers: "OffersBehaviour"
    dining: "DiningSettings"
    passwords: "Passwords"
    smtp_url: Secret | None


def resources() -> Resources:
    """The resources of the provider that serves the current request."""
    return resources_of(current_app)  # type: ignore[arg-type]  # a proxy of the application


def resources_of(app: Application) -> Resources:
    """The resources of a provider that is being served."""
    found = app.resources
    assert isinstance(found, Resources)
    return found
