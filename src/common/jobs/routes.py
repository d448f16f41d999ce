"""GET /jobs: the state of the jobs."""

from collections.abc import Callable, Sequence

import msgspec
from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.jobs.lease import Job, JobState, select_jobs
from common.web.bearer import operations_token_required
from common.web.input_types import TableQuery
from common.web.openapi.document import operation
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table


class Jobs(msgspec.Struct, frozen=True):
    """The jobs of this application, over all replicas."""

    jobs: list[JobState]
    """Every job of the application."""


JOBS_EXAMPLE = {
    "jobs": [
        {
            "name": "forget_old",
            "interval_seconds": 86400.0,
            "last_started": "2020-01-01T00:00:00Z",
            "last_finished": "2020-01-01T00:00:01Z",
            "last_outcome": "ok",
            "last_error": None,
            "next_run": "2020-01-02T00:00:00Z",
            "did": {
                "idempotency_keys": 2,
                "messages": 0,
                "signatures": 1,
                "sessions": 0,
                "failed_logins": 0,
                "rate_limits": 3,
            },
            "failures": 0,
            "lease": None,
            "owner": "dashboard-1:7:5f0c2a91",
        }
    ]
}


def blueprint(jobs: Callable[[], Sequence[Job]]) -> Blueprint:
    """The route /jobs. jobs: returns the jobs of the application of the current request."""
    routes = Blueprint("jobs", __name__)
    tag_blueprint(routes, ["operations"])

    @routes.get("/jobs")
    @operation(example=JOBS_EXAMPLE)
    @operations_token_required
    @table("jobs", JobState, "jobs")
    @validate_querystring(TableQuery)
    @document_response(Jobs)
    async def list_jobs(query_args: TableQuery) -> Response:
        """Each job: its last run, the result or error of that run, and when it runs next."""
        return json_response(Jobs(await select_jobs(pool(), jobs())))

    return routes
