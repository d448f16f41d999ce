"""The dashboard's resources, created in `app.py`, and their accessors for routes and tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quart import current_app

from common.db.distribution import TableLayout
from common.db.pool import BoundedPool
from common.web.resources import Application, CommonResources, Pools

if TYPE_CHECKING:
    from common.jobs.lease import Job
    from dashboard.bookings.ingestion import Ingestion
    from dashboard.bookings.night_audit import NightAudit
    from dashboard.catalog.offers_client import OffersClient
    from dashboard.config import Config
    from dashboard.front_desk.settings import FrontDeskSettings
    from dashboard.uptime.fleet_figures import FleetFigures
    from dashboard.uptime.report_runner import ReportRunner


@dataclass(frozen=True, kw_only=True)
class DashboardPools(Pools):
    """uptime: for store files and reports, whose statements may take an hour."""

    uptime: BoundedPool


@dataclass(frozen=True, kw_only=True)
class Resources(CommonResources):
    """The resources of one process of the dashboard."""

    pools: DashboardPools
    config: "Config"
    counters: TableLayout
    """Of the counters of booking events."""
    ingestions: Sequence["Ingestion"]
    """One for each feed."""
    night_audits: Sequence["NightAudit"]
    """One for each feed."""
    offers: "OffersClient"
    front_desk: "FrontDeskSettings"
    report_runner: "ReportRunner"
    fleet: "FleetFigures"
    jobs: Sequence["Job"] = ()
    """What the scheduler runs with these resources."""


def resources() -> Resources:
    """The resources of the dashboard that serves the current request."""
    return resources_of(current_app)  # type: ignore[arg-type]  # current_app is a proxy


def resources_of(app: Application) -> Resources:
    """The resources of a dashboard that is being served."""
    found = app.resources
    assert isinstance(found, Resources)
    return found
