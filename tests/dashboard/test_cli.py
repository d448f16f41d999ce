"""Commands of the dashboard that belong to no slice."""

import re

from common.config import Secret
from tests.conftest import TEST_ENVIRONMENT
from tests.support.applications import run_process

DIFFERS = re.compile(r"\S+/\S+: from \d{4}-\d\d-\d\d on (unknown|[+-]\d\d:\d\d) in Python, [+-]\d\d:\d\d in PostgreSQL")


def test_the_zones_on_which_the_two_copies_of_the_rules_disagree_are_printed(dashboard_url: Secret) -> None:
    """Which ones they are depends on the machine."""
    environment = {**TEST_ENVIRONMENT, "DASHBOARD_DATABASE_URL": dashboard_url.reveal()}
    result = run_process("dashboard", "time-zones", environment=environment)
    lines = result.stdout.splitlines()
    if result.returncode == 0:
        assert lines == ["Python and PostgreSQL agree on all time zones for the coming two years"]
    else:
        assert lines, result.stderr
        assert all(DIFFERS.fullmatch(line) for line in lines)
