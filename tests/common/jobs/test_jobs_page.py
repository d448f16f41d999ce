"""GET /jobs: each job with its schedule and its last run."""

from collections.abc import AsyncIterator

import pytest

from common.db.pool import BoundedPool
from common.jobs import routes
from common.jobs.lease import Job, Lease
from common.jobs.scheduler import run_now
from common.web import application
from common.web.resources import Application
from tests.common.conftest import provide


async def work(_: Lease) -> dict[str, int | float]:
    return {"runs": 1}


async def fail(_: Lease) -> dict[str, int | float]:
    raise RuntimeError("no")


@pytest.fixture
async def app(ground_pool: BoundedPool) -> AsyncIterator[Application]:
    """An application with a job that succeeded, one that failed, one that never ran and one that is switched off."""
    app = application.create("jobs", title="Jobs", description="For tests", tags={})
    ran, failed = Job("ran", 60, work), Job("failed", 60, fail)
    await run_now(ground_pool, ran)
    with pytest.raises(RuntimeError):
        await run_now(ground_pool, failed)
    jobs = [ran, failed, Job("never", 5, work), Job("off", 0, work)]
    app.register_blueprint(routes.blueprint(lambda: jobs))
    provide(app, ground_pool)
    async with app.test_app():
        yield app


async def test_every_job_is_listed_with_all_members_of_the_contract(app: Application) -> None:
    answer = await (await app.test_client().get("/jobs")).get_json()
    ran, failed, never, off = answer["jobs"]
    members = {
        *("name", "interval_seconds", "last_started", "last_finished", "last_outcome", "last_error"),
        *("next_run", "did", "failures", "lease", "owner"),
    }
    assert all(set(each) == members for each in answer["jobs"])
    assert (ran["name"], ran["last_outcome"], ran["last_error"], ran["did"]) == ("ran", "ok", None, {"runs": 1})
    assert ran["last_started"] <= ran["last_finished"] < ran["next_run"]
    assert (failed["last_outcome"], failed["last_error"], failed["did"]) == ("failed", "RuntimeError: no", {})
    assert (ran["failures"], ran["lease"], failed["lease"]) == (0, None, None)
    assert failed["failures"] == 1
    assert failed["owner"].startswith("command:")
    assert never == {"name": "never", "interval_seconds": 5.0} | dict.fromkeys(
        ["last_started", "last_finished", "last_outcome", "last_error", "next_run", "lease", "owner"]
    ) | {"did": {}, "failures": 0}
    assert (off["interval_seconds"], off["next_run"]) == (0, None)
