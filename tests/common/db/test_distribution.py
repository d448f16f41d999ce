"""What `distribute` says where the tables cannot be spread."""

import pytest

from common.config import Secret
from common.db.distribution import DistributionError, distribute
from tests.conftest import DISTRIBUTIONS, TEST_ENVIRONMENT
from tests.support.applications import run_process
from tests.support.citus import cluster_of_environment

APPLICATIONS = sorted(DISTRIBUTIONS)

if not cluster_of_environment():

    async def test_a_database_without_citus_is_left_as_it_is(provider_url: Secret) -> None:
        with pytest.raises(DistributionError, match="does not have the extension citus"):
            await distribute(provider_url, DISTRIBUTIONS["provider"], 8)

    def test_the_command_says_in_a_line_that_citus_is_missing(provider_url: Secret) -> None:
        done = run_process(
            "provider",
            "distribute",
            environment={**TEST_ENVIRONMENT, "PROVIDER_DATABASE_URL": provider_url.reveal()},
        )
        assert done.returncode == 1
        assert done.stderr.startswith("nightaudit: the tables cannot be distributed: the database does not have the")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("shards", ["0", "1025", "many", "-1"])
@pytest.mark.parametrize("application", APPLICATIONS)
def test_a_number_of_shards_that_is_not_possible_is_refused(application: str, shards: str) -> None:
    done = run_process(application, "distribute", f"--shards={shards}", environment=TEST_ENVIRONMENT)
    assert done.returncode == 2
    assert "must be a whole number from 1 to 1024" in done.stderr
