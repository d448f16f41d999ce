"""Check the Kubernetes manifests against the strict schemas of kubernetes-validate and the rules of this project."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate

from .reading import CREDENTIALS, RELEASE, SECRET_NAME, read_mapping, read_yaml, value_at

FOLDER = "docker/kubernetes"
# The oldest release that docs/operations.md supports.
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
        return str(value_at(self.body, "metadata", "name"))

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}/{self.name}"


def read_resources(root: Path) -> list[Resource]:
    """Return every document of every manifest except kustomizations. Raises UnreadableError."""
    files = sorted(path for path in (root / FOLDER).rglob("*.yaml") if path.name != KUSTOMIZATION)
    names = [path.relative_to(root).as_posix() for path in files]
    return [Resource(name, body if isinstance(body, dict) else {}) for name in names for body in read_yaml(root, name)]


def schema_faults(resource: Resource) -> Iterator[str]:
    for version in (OLDEST, kubernetes_validate.latest_version()):
        try:
            kubernetes_validate.validate(resource.body, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(str(step) for step in error.path) or "the document"
            yield f"{place}: {' '.join(error.message.split())[:200]} (Kubernetes {version})"
            return
        except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError, KeyError):
            yield f"there is no schema for {resource.body.get('apiVersion')} {resource.kind} (Kubernetes {version})"
            return


def pod_of(resource: Resource) -> dict[str, Any] | None:
    """Return the pod specification of a workload, or None for any other resource."""
    spec = value_at(resource.body, "spec", "template", "spec")
    return spec if isinstance(spec, dict) else None


def containers_of(resource: Resource) -> list[dict[str, Any]]:
    pod = pod_of(resource) or {}
    return [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]


def secret_faults(resource: Resource) -> Iterator[str]:
    if resource.kind == "Secret":
        yield "must not be in a manifest; create secrets in the cluster"
    literals = dict(value_at(resource.body, "data") or {}) if resource.kind == "ConfigMap" else {}
    for container in containers_of(resource):
        literals |= {entry["name"]: entry["value"] for entry in container.get("env") or [] if "value" in entry}
    for name, value in literals.items():
        if SECRET_NAME.search(name) or CREDENTIALS.search(str(value)):
            yield f"{name} is a literal; take it from a Secret by secretKeyRef"


def pod_faults(pod: dict[str, Any]) -> Iterator[str]:
    # Otherwise Kubernetes sets PROVIDER_PORT and DASHBOARD_PORT to the Services' tcp://… addresses.
    if pod.get("enableServiceLinks") is not False:
        yield "enableServiceLinks must be false"
    if pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken must be false"
    if value_at(pod, "securityContext", "runAsNonRoot") is not True:
        yield "runAsNonRoot must be true"
    if value_at(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault":
        yield "seccompProfile must be RuntimeDefault"


def container_faults(container: dict[str, Any]) -> Iterator[str]:
    if not RELEASE.search(str(container.get("image"))):
        yield f"image {container.get('image')} is not pinned to a release"
    if not value_at(container, "resources", "requests") or not value_at(container, "resources", "limits", "memory"):
        yield "resources must have requests and a memory limit"
    security = container.get("securityContext")
    if value_at(security, "allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation must be false"
    if value_at(security, "readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem must be true"
    if value_at(security, "capabilities", "drop") != ["ALL"]:
        yield "capabilities must drop ALL"


def server_faults(container: dict[str, Any]) -> Iterator[str]:
    """Check the probes of a server; liveness must not depend on the database."""
    ports = {port.get("name") for port in container.get("ports") or []}
    for probe, path in (
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ):
        if value_at(container, probe, "httpGet", "path") != path:
            yield f"{probe} must request {path}"
        elif value_at(container, probe, "httpGet", "port") not in ports:
            yield f"{probe} must name a port of the container"


def selects(selector: Any, labels: Any) -> bool:
    """Return whether a label selector matches a pod with these labels."""
    return bool(selector) and isinstance(labels, dict) and selector.items() <= labels.items()


def companion_faults(deployment: Resource, resources: list[Resource]) -> Iterator[str]:
    """Check that the resources that every Deployment needs exist."""
    labels = value_at(deployment.body, "spec", "template", "metadata", "labels")
    of_kind = {kind: [other.body for other in resources if other.kind == kind] for kind in {r.kind for r in resources}}
    if not any(selects(value_at(service, "spec", "selector"), labels) for service in of_kind.get("Service", [])):
        yield "no Service selects its pods"
    budgets = of_kind.get("PodDisruptionBudget", [])
    if not any(selects(value_at(budget, "spec", "selector", "matchLabels"), labels) for budget in budgets):
        yield "no PodDisruptionBudget selects its pods"
    scalers = of_kind.get("HorizontalPodAutoscaler", [])
    if not any(value_at(scaler, "spec", "scaleTargetRef", "name") == deployment.name for scaler in scalers):
        yield "no HorizontalPodAutoscaler scales it"
    jobs = [resource for resource in resources if resource.kind == "Job"]
    if not any(
        container.get("args") == [deployment.name, "migrate"] for job in jobs for container in containers_of(job)
    ):
        yield f"no Job runs {deployment.name} migrate"
    maps = {value_at(body, "metadata", "name") for body in of_kind.get("ConfigMap", [])}
    for container in containers_of(deployment):
        for source in container.get("envFrom") or []:
            if value_at(source, "configMapRef", "name") not in maps:
                yield "envFrom must name a ConfigMap of these manifests"
    pod = pod_of(deployment) or {}
    for key in ("topologySpreadConstraints", "terminationGracePeriodSeconds"):
        if not pod.get(key):
            yield f"{key} is missing"


def resource_faults(resource: Resource, resources: list[Resource]) -> Iterator[str]:
    """Yield one line per fault of one resource."""
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
        yield from companion_faults(resource, resources)


def kustomization_faults(root: Path) -> Iterator[str]:
    """Check that each kustomization lists exactly the manifests of its folder."""
    for folder in sorted({path.parent for path in (root / FOLDER).rglob("*.yaml")}):
        name = (folder / KUSTOMIZATION).relative_to(root).as_posix()
        listed = set(read_mapping(root, name).get("resources") or [])
        present = {path.name for path in folder.glob("*.yaml")} - {KUSTOMIZATION}
        for file in sorted(listed ^ present):
            yield f"{name}: {file} is {'not a file of this folder' if file in listed else 'missing from the resources'}"


def faults(root: Path) -> Iterator[str]:
    """Yield one line per fault of the manifests."""
    resources = read_resources(root)
    if not any(resource.kind == "Deployment" for resource in resources):
        yield f"{FOLDER}: there is no Deployment"
    for resource in resources:
        yield from (f"{resource}: {fault}" for fault in resource_faults(resource, resources))
    yield from kustomization_faults(root)
