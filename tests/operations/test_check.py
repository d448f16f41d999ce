"""The check of image, compose file, manifests, Prometheus and environment finds faults that are planted."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from docker.check import all_faults, compose, environment, image, kubernetes, prometheus, repository

ROOT = Path(__file__).resolve().parents[2]
CHECKED = (
    ".dockerignore",
    ".env.example",
    ".gitignore",
    "docker-compose.yml",
    "docker",
    "requirements",
    "src",
)
PROVIDER = "docker/kubernetes/provider.yaml"
DASHBOARD = "docker/kubernetes/dashboard.yaml"
COMPOSE = "docker-compose.yml"
DOCKERFILE = "docker/Dockerfile"


def copy_checked(target: Path) -> Path:
    """The files that the check reads, copied so that a test can spoil them."""
    for name in CHECKED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What the check says of the repository as it is."""
    return set(all_faults(copy_checked(tmp_path_factory.mktemp("operations"))))


PLANTED = {
    "a deployment without a probe": (
        kubernetes,
        PROVIDER,
        "readinessProbe:",
        "x-probe:",
        "readinessProbe must ask for /readyz",
    ),
    "a liveness that asks the database": (
        kubernetes,
        DASHBOARD,
        "livenessProbe:\n            httpGet: {path: /livez",
        "livenessProbe:\n            httpGet: {path: /readyz",
        "livenessProbe must ask for /livez",
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
    "a Secret": (kubernetes, DASHBOARD, "kind: ConfigMap", "kind: Secret", "secrets are made in the cluster"),
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
        "nightaudit:0.1.0",
        "nightaudit:latest",
        "not pinned to a release",
    ),
    "a manifest that kustomize misses": (
        kubernetes,
        "docker/kubernetes/kustomization.yaml",
        "  - network-policy.yaml\n",
        "",
        "network-policy.yaml is not among the resources",
    ),
    "a service without a healthcheck": (
        compose,
        COMPOSE,
        "healthcheck:",
        "x-health:",
        "neither a healthcheck nor a reason",
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
        "PROVIDER_DATABASE_URL holds a password",
    ),
    "a floating image": (compose, COMPOSE, "postgres:18.6", "postgres:latest", "not pinned to a release"),
    "a port open to others": (
        compose,
        COMPOSE,
        '"127.0.0.1:9090:9090"',
        '"9090:9090"',
        "open to other machines",
    ),
    "a mount of nothing": (
        compose,
        COMPOSE,
        "postgres/init.sql:/",
        "postgres/start.sql:/",
        "which does not exist",
    ),
    "a misspelt key": (compose, COMPOSE, "shm_size:", "shmsize:", "shmsize is no key"),
    "a variable without an example": (
        environment,
        COMPOSE,
        "PROVIDER_WORKERS:",
        "PROVIDER_WORKER:",
        "PROVIDER_WORKER is missing",
    ),
    "a variable that reaches nothing": (
        environment,
        ".env.example",
        "#PROVIDER_HOST=",
        "#PROVIDER_HOSTS=",
        "PROVIDER_HOSTS of .env.example reaches no service",
    ),
    "an example with a secret": (
        environment,
        ".env.example",
        "JWT_SECRET=",
        "JWT_SECRET=hunter2",
        "PROVIDER_JWT_SECRET has a value",
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
        "HEALTHCHECK must be there",
    ),
    "a shell in front": (
        image,
        DOCKERFILE,
        'ENTRYPOINT ["python", "-m"]',
        "ENTRYPOINT python -m",
        "ENTRYPOINT must be",
    ),
    "packages without hashes": (
        image,
        DOCKERFILE,
        "--require-hashes",
        "--no-deps",
        "without --require-hashes",
    ),
    "a build that lacks a file": (
        image,
        ".dockerignore",
        "!docker/healthcheck.py",
        "",
        ".dockerignore keeps it out",
    ),
    "another pin in the image": (
        image,
        "requirements/container.txt",
        "quart==",
        "quart==9",
        "in runtime.txt: make lock",
    ),
    "an alert on no metric": (
        prometheus,
        "docker/prometheus/alerts.yml",
        "feed_lag_seconds",
        "feed_lag_minutes",
        "no metric feed_lag_minutes",
    ),
    "a scrape of no port": (
        prometheus,
        "docker/prometheus/prometheus.yml",
        "port: 9000",
        "port: 9001",
        "is no port of a service",
    ),
    "a path of one machine": (
        repository,
        DOCKERFILE,
        "WORKDIR /app",
        "WORKDIR /" + "root" + "/app",
        "names a path of one machine",
    ),
    "a package registry": (
        repository,
        "requirements/container.in",
        "aiohttp",
        "--find-" + "links=elsewhere aiohttp",
        "names the address of a package registry",
    ),
}


@pytest.mark.parametrize(("check", "name", "sound", "spoilt", "said"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(
    tmp_path: Path, before: set[str], check: ModuleType, name: str, sound: str, spoilt: str, said: str
) -> None:
    file = copy_checked(tmp_path) / name
    text = file.read_text(encoding="utf-8")
    assert sound in text
    file.write_text(text.replace(sound, spoilt, 1), encoding="utf-8")
    assert [line for line in check.faults(tmp_path) if line not in before and said in line]


def test_the_check_names_each_fault_in_one_line_and_fails(tmp_path: Path) -> None:
    (copy_checked(tmp_path) / COMPOSE).unlink()
    (tmp_path / PROVIDER).write_text("kind: [ConfigMap", encoding="utf-8")
    command = [sys.executable, "-m", "docker.check", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    lines = run.stdout.splitlines()
    assert lines.count(f"{COMPOSE}: cannot be read (FileNotFoundError)") == 1
    assert len([line for line in lines if line.startswith(f"{PROVIDER}: no YAML: ")]) == 1
    assert run.stderr == ""
