"""The names of the jobs of booking feeds."""

from dashboard.config import MAIN_FEED

INGESTION = "ingest_booking_events"
"""The job that reads the main feed."""

NIGHT_AUDIT = "night_audit"
"""The job that audits the main feed."""


def job_of_feed(job: str, feed: str) -> str:
    """The name of a job of one feed; that of the main feed has no addition."""
    return job if feed == MAIN_FEED else f"{job}:{feed}"
