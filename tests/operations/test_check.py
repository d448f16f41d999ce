"""docker.check finds the faults that a test plants in the deployment files."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from common.version import VERSION
from docker.check import all_faults, compose, environment, image, kubernetes, prometheus, repository

ROOT = Path(__file__).resolve().parents[2]
CHECKED = (
    ".dockerignore",
    ".env.example",
    ".gitignore",
    "docker-compose.yml",
    "heroku.Dockerfile",
    "docker",
    "requirements",
    "src",
)
PROVIDER = "docker/kubernetes/provider.yaml"
DASHBOARD = "docker/kubernetes/dashboard.yaml"
COMPOSE = "docker-compose.yml"
DOCKERFILE = "docker/Dockerfile"


def copy_checked(target: Path) -> Path:
    """Copy the files that the check reads, so that a test can plant faults in them."""
    for name in CHECKED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The faults of the repository as it is."""
    return set(all_faults(copy_checked(tmp_path_factory.mktemp("operations"))))


PLANTED = {
    "a deployment without a probe": (
        kubernetes,
        PROVIDER,
        "readinessProbe:",
        "x-probe:",
        "readinessProbe must request /readyz",
    ),
    "a liveness probe that depends on the database": (
        kubernetes,
        DASHBOARD,
        "livenessProbe:\n            httpGet: {path: /livez",
        "livenessProbe:\n            httpGet: {path: /readyz",
        "livenessProbe must request /livez",
    ),
    "an unknown field": (kubernetes, PROVIDER, "minReadySeconds:", "minReadySecs:", "minReadySecs"),
    "a wrong type": (
        kubernetes,
        PROVIDER,
        "minReadySeconds: 5",
        "minReadySeconds: five",
        "'five' is not of type",
    ),
    "a literal secret in a container": (
        kubernetes,
        PROVIDER,
        "valueFrom: {secretKeyRef: {name: provider, key: PROVIDER_JWT_SECRET}}",
        "value: hunter2",
        "PROVIDER_JWT_SECRET is a literal",
    ),
    "a literal secret in a ConfigMap": (
        kubernetes,
        DASHBOARD,
        "\ndata:",
        "\ndata:\n  DASHBOARD_STAFF_TOKEN: abc",
        "is a literal",
    ),
    "a Secret": (kubernetes, DASHBOARD, "kind: ConfigMap", "kind: Secret", "must not be in a manifest"),
    "service links": (
        kubernetes,
        PROVIDER,
        "enableServiceLinks: false",
        "enableServiceLinks: true",
        "enableServiceLinks",
    ),
    "a budget that selects nothing": (
        kubernetes,
        PROVIDER,
        "kind: PodDisruptionBudget",
        "kind: NetworkPolicy",
        "no PodDisruptionBudget selects its pods",
    ),
    "an image without a release": (
        kubernetes,
        DASHBOARD,
        f"nightaudit:{VERSION}",
        "nightaudit:latest",
        "not pinned to a release",
    ),
    "a manifest that the kustomization lacks": (
        kubernetes,
        "docker/kubernetes/kustomization.yaml",
        "  - network-policy.yaml\n",
        "",
        "network-policy.yaml is missing from the resources",
    ),
    "a service without a healthcheck": (
        compose,
        COMPOSE,
        "healthcheck:",
        "x-health:",
        "needs a healthcheck",
    ),
    "a secret that may be missing": (
        compose,
        COMPOSE,
        "PROVIDER_JWT_SECRET:?",
        "PROVIDER_JWT_SECRET:-",
        "PROVIDER_JWT_SECRET may be empty",
    ),
    "a password in the compose file": (
        compose,
        COMPOSE,
        "provider:${POSTGRES_PROVIDER_PASSWORD}@",
        "provider:hunter2@",
        "PROVIDER_DATABASE_URL contains a password",
    ),
    "a floating image": (compose, COMPOSE, "postgres:18.6", "postgres:latest", "not pinned to a release"),
    "a service without a limit": (compose, COMPOSE, "pids: 500", "cpus: 2", "the limit of pids is missing"),
    "a mount of a missing file": (
        compose,
        COMPOSE,
        "postgres/init.sql:/",
        "postgres/start.sql:/",
        "which does not exist",
    ),
    "a variable that the example lacks": (
        environment,
        COMPOSE,
        "PROVIDER_WORKERS:",
        "PROVIDER_WORKER:",
        "PROVIDER_WORKER is missing",
    ),
    "a variable that no service receives": (
        environment,
        ".env.example",
        "#PROVIDER_HOST=",
        "#PROVIDER_HOSTS=",
        "no service receives PROVIDER_HOSTS of .env.example",
    ),
    "an example with a secret": (
        environment,
        ".env.example",
        "JWT_SECRET=",
        "JWT_SECRET=hunter2",
        "PROVIDER_JWT_SECRET must not have a value",
    ),
    "a root image": (
        image,
        DOCKERFILE,
        "USER 10001:10001",
        "USER root",
        "USER must be a number other than 0",
    ),
    "an image without a healthcheck": (
        image,
        DOCKERFILE,
        "HEALTHCHECK",
        "LABEL health",
        "HEALTHCHECK is missing",
    ),
    "an image with devstack": (
        image,
        ".dockerignore",
        "\nsrc/common/devstack\n",
        "\n",
        "must exclude src/common/devstack",
    ),
    "devstack admitted again": (
        image,
        ".dockerignore",
        "src/common/devstack\n",
        "src/common/devstack\n!src/common\n",
        "must exclude src/common/devstack",
    ),
    "a secret in the image": (
        image,
        "heroku.Dockerfile",
        "PYTHONUNBUFFERED=1",
        "DASHBOARD_API_TOKEN=abc",
        "puts a secret into the image",
    ),
    "packages without hashes": (
        image,
        DOCKERFILE,
        "--require-hashes",
        "--no-deps",
        "needs --require-hashes",
    ),
    "a file that the build context lacks": (
        image,
        ".dockerignore",
        "!docker/healthcheck.py",
        "",
        ".dockerignore excludes it",
    ),
    "another pin in the image": (
        image,
        "requirements/container.txt",
        "quart==",
        "quart==9",
        "in runtime.txt; run make lock",
    ),
    "an alert on an unknown metric": (
        prometheus,
        "docker/prometheus/alerts.yml",
        "feed_lag_seconds",
        "feed_lag_minutes",
        "src has no metric feed_lag_minutes",
    ),
    "an alert on an unknown label": (
        prometheus,
        "docker/prometheus/alerts.yml",
        "sum by (job, upstream)",
        "sum by (job, downstream)",
        "has no label downstream",
    ),
    "an alert on an unknown value": (
        prometheus,
        "docker/prometheus/alerts.yml",
        'pool="requests"',
        'pool="primary"',
        "src never sets pool to primary",
    ),
    "an alert that is not PromQL": (
        prometheus,
        "docker/prometheus/alerts.yml",
        "expr: up == 0",
        "expr: up ==",
        "expr is not valid PromQL",
    ),
    "a scrape of an unknown port": (
        prometheus,
        "docker/prometheus/prometheus.yml",
        "port: 9000",
        "port: 9001",
        "has no service with the port provider:9001",
    ),
    "a path of one machine": (
        repository,
        DOCKERFILE,
        "WORKDIR /app",
        "WORKDIR /" + "root" + "/app",
        "contains a path of one machine",
    ),
    "a package registry": (
        repository,
        "requirements/container.txt",
        "aiohttp==",
        "--find-" + "links=elsewhere\naiohttp==",
        "contains the address of a package registry",
    ),
}


@pytest.mark.parametrize(("check", "name", "valid", "faulty", "message"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(
    tmp_path: Path, before: set[str], check: ModuleType, name: str, valid: str, faulty: str, message: str
) -> None:
    file = copy_checked(tmp_path) / name
    text = file.read_text(encoding="utf-8")
    assert valid in text
    file.write_text(text.replace(valid, faulty, 1), encoding="utf-8")
    assert [line for line in check.faults(tmp_path) if line not in before and message in line]


def test_the_command_prints_each_fault_in_one_line_and_fails(tmp_path: Path) -> None:
    (copy_checked(tmp_path) / COMPOSE).unlink()
    (tmp_path / PROVIDER).write_text("kind: [ConfigMap", encoding="utf-8")
    command = [sys.executable, "-m", "docker.check", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    lines = run.stdout.splitlines()
    assert lines.count(f"{COMPOSE}: cannot be read (FileNotFoundError)") == 1
    assert len([line for line in lines if line.startswith(f"{PROVIDER}: is not valid YAML: ")]) == 1
    assert run.stderr == ""
