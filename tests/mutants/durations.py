"""A plugin of pytest that writes how long each test that passed took, in seconds, into a file named by a variable."""

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

FILE_VARIABLE = "NIGHTAUDIT_TEST_DURATIONS"

seconds: defaultdict[str, float] = defaultdict(float)
failed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    seconds[report.nodeid] += report.duration
    if not report.passed:
        failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        passed = {test: taken for test, taken in seconds.items() if test not in failed}
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(passed))
