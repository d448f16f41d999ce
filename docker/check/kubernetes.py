"""The Kubernetes manifests: the strict schema (of kubernetes-validate), and what a schema cannot say."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate

from .reading import CREDENTIALS, RELEASE, SECRET_NAME, at, read_mapping, read_yaml

FOLDER = "docker/kubernetes"
# The oldest release that docs/operations.md promises, and the newest that the package knows.
OLDEST = "1.30.0"
KUSTOMIZATION = "kustomization.yaml"


@dataclass(frozen=True)
class Resource:
    """One document of one file."""

    file: str
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.body.get("kind"))

    @property
    def name(self) -> str:
        return str(at(self.body, "metadata", "name"))

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}/{self.name}"


def read_resources(root: Path) -> list[Resource]:
    """Every document of every manifest below the folder, kustomizations left out; raises UnreadableError."""
    files = sorted(path for path in (root / FOLDER).rglob("*.yaml") if path.name != KUSTOMIZATION)
    names = [path.relative_to(root).as_posix() for path in files]
    return [Resource(name, body if isinstance(body, dict) else {}) for name in names for body in read_yaml(root, name)]


def schema_faults(resource: Resource) -> Iterator[str]:
    for version in (OLDEST, kubernetes_validate.latest_version()):
        try:
            kubernetes_validate.validate(resource.body, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(str(step) for step in error.path) or "it"
            yield f"{place}: {' '.join(error.message.split())[:200]} (Kubernetes {version})"
            return
        except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError, KeyError):
            yield f"no schema for {resource.body.get('apiVersion')} {resource.kind} (Kubernetes {version})"
            return


def pod_of(resource: Resource) -> dict[str, Any] | None:
    """The pod's specification of a workload; None for anything else."""
    spec = at(resource.body, "spec", "template", "spec")
    return spec if isinstance(spec, dict) else None


def containers_of(resource: Resource) -> list[dict[str, Any]]:
    pod = pod_of(resource) or {}
    return [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]


def secret_faults(resource: Resource) -> Iterator[str]:
    if resource.kind == "Secret":
        yield "secrets are made in the cluster and only named here"
    literals = dict(at(resource.body, "data") or {}) if resource.kind == "ConfigMap" else {}
    for container in containers_of(resource):
        literals |= {entry["name"]: entry["value"] for entry in container.get("env") or [] if "value" in entry}
    for name, value in literals.items():
        if SECRET_NAME.search(name) or CREDENTIALS.search(str(value)):
            yield f"{name} is a literal; take it from a Secret by secretKeyRef"


def pod_faults(pod: dict[str, Any]) -> Iterator[str]:
    # Otherwise the Services `provider` and `dashboard` set PROVIDER_PORT and DASHBOARD_PORT to tcp://…
    if pod.get("enableServiceLinks") is not False:
        yield "enableServiceLinks must be false"
    if pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken must be false"
    if at(pod, "securityContext", "runAsNonRoot") is not True:
        yield "runAsNonRoot must be true"
    if at(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault":
        yield "seccompProfile must be RuntimeDefault"


def container_faults(container: dict[str, Any]) -> Iterator[str]:
    if not RELEASE.search(str(container.get("image"))):
        yield f"image {container.get('image')} is not pinned to a release"
    if not at(container, "resources", "requests") or not at(container, "resources", "limits", "memory"):
        yield "resources need requests and a memory limit"
    security = container.get("securityContext")
    if at(security, "allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation must be false"
    if at(security, "readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem must be true"
    if at(security, "capabilities", "drop") != ["ALL"]:
        yield "capabilities must drop ALL"


def server_faults(container: dict[str, Any]) -> Iterator[str]:
    """Probes of a container that serves: liveness must never depend on the database."""
    ports = {port.get("name") for port in container.get("ports") or []}
    for probe, path in (
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ):
        if at(container, probe, "httpGet", "path") != path:
            yield f"{probe} must ask for {path}"
        elif at(container, probe, "httpGet", "port") not in ports:
            yield f"{probe} names no port of the container"


def selects(selector: Any, labels: Any) -> bool:
    """Whether a selector of labels takes in a pod with these labels."""
    return bool(selector) and isinstance(labels, dict) and selector.items() <= labels.items()


def company_faults(deployment: Resource, resources: list[Resource]) -> Iterator[str]:
    """What every Deployment has beside it."""
    labels = at(deployment.body, "spec", "template", "metadata", "labels")
    of_kind = {kind: [other.body for other in resources if other.kind == kind] for kind in {r.kind for r in resources}}
    if not any(selects(at(service, "spec", "selector"), labels) for service in of_kind.get("Service", [])):
        yield "no Service selects its pods"
    budgets = of_kind.get("PodDisruptionBudget", [])
    if not any(selects(at(budget, "spec", "selector", "matchLabels"), labels) for budget in budgets):
        yield "no PodDisruptionBudget selects its pods"
    scalers = of_kind.get("HorizontalPodAutoscaler", [])
    if not any(at(scaler, "spec", "scaleTargetRef", "name") == deployment.name for scaler in scalers):
        yield "no HorizontalPodAutoscaler scales it"
    jobs = [resource for resource in resources if resource.kind == "Job"]
    if not any(
        container.get("args") == [deployment.name, "migrate"] for job in jobs for container in containers_of(job)
    ):
        yield f"no Job runs {deployment.name} migrate"
    maps = {at(body, "metadata", "name") for body in of_kind.get("ConfigMap", [])}
    for container in containers_of(deployment):
        for source in container.get("envFrom") or []:
            if at(source, "configMapRef", "name") not in maps:
                yield "envFrom names no ConfigMap that is here"
    pod = pod_of(deployment) or {}
    for key in ("topologySpreadConstraints", "terminationGracePeriodSeconds"):
        if not pod.get(key):
            yield f"no {key}"


def resource_faults(resource: Resource, resources: list[Resource]) -> Iterator[str]:
    """One line per fault of one resource."""
    yield from schema_faults(resource)
    yield from secret_faults(resource)
    pod = pod_of(resource)
    if pod is not None:
        yield from pod_faults(pod)
    for container in containers_of(resource):
        yield from (f"{container.get('name')}: {fault}" for fault in container_faults(container))
    if resource.kind == "Deployment":
        for container in (pod or {}).get("containers") or []:
            yield from (f"{container.get('name')}: {fault}" for fault in server_faults(container))
        yield from company_faults(resource, resources)


def kustomization_faults(root: Path) -> Iterator[str]:
    """Every manifest is named by the kustomization of its folder, and every name is a manifest."""
    for folder in sorted({path.parent for path in (root / FOLDER).rglob("*.yaml")}):
        name = (folder / KUSTOMIZATION).relative_to(root).as_posix()
        listed = set(read_mapping(root, name).get("resources") or [])
        there = {path.name for path in folder.glob("*.yaml")} - {KUSTOMIZATION}
        for file in sorted(listed ^ there):
            yield f"{name}: {file} is {'not a file here' if file in listed else 'not among the resources'}"


def faults(root: Path) -> Iterator[str]:
    """One line per fault of the manifests."""
    resources = read_resources(root)
    if not any(resource.kind == "Deployment" for resource in resources):
        yield f"{FOLDER}: no Deployment"
    for resource in resources:
        yield from (f"{resource}: {fault}" for fault in resource_faults(resource, resources))
    yield from kustomization_faults(root)
