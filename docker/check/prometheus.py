"""Prometheus: it scrapes both applications, and its alerts name metrics and labels that the code has."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .compose import COMPOSE
from .reading import at, read_mapping

CONFIG = "docker/prometheus/prometheus.yml"
# Labels that Prometheus adds or that every histogram has.
OWN_LABELS = {"job", "instance", "le"}


def scrape_faults(root: Path, config: dict[str, Any]) -> Iterator[str]:
    services = read_mapping(root, COMPOSE).get("services") or {}
    jobs = {at(job, "job_name"): job for job in config.get("scrape_configs") or []}
    for application in ("provider", "dashboard"):
        if application not in jobs:
            yield f"nothing scrapes {application}"
    for name, job in jobs.items():
        for source in job.get("dns_sd_configs") or []:
            for host in source.get("names") or []:
                ports = [str(port).rpartition(":")[2] for port in at(services, host, "ports") or []]
                if str(source.get("port")) not in ports:
                    yield f"{name}: {host}:{source.get('port')} is no port of a service in {COMPOSE}"


def metrics_and_labels(expression: str) -> tuple[set[str], set[str]]:
    """Names of the metrics and of the labels in a PromQL expression, as far as alerts here go."""
    matchers = re.findall(r"\{([^}]*)\}", expression)
    groupings = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression)
    labels = {name for matcher in matchers for name in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matcher)}
    labels |= {name.strip() for grouping in groupings for name in grouping.split(",")}
    bare = re.sub(r"\{[^}]*\}|\b(?:by|on|without|ignoring)\s*\([^)]*\)|\[[^]]*\]", " ", expression)
    metrics = set(re.findall(r"\b([a-z]+(?:_[a-z]+)+)\b(?!\s*\()", bare))
    return metrics, labels - OWN_LABELS


def naming_faults(expression: str, sources: list[str]) -> Iterator[str]:
    """An alert on a metric or a label that no file defines would never fire, and nobody would see it."""
    metrics, labels = metrics_and_labels(expression)
    defining = []
    for metric in sorted(metrics):
        # prometheus_client adds these endings itself.
        name = re.sub(r"_(bucket|count|sum|total)$", "", metric)
        found = [source for source in sources if re.search(rf"[\"']{name}(_total)?[\"']", source)]
        if not found:
            yield f"no metric {name} in src"
        defining += found
    for label in sorted(labels):
        # Prometheus renames a label of the metric that it has itself: job to exported_job.
        name = label.removeprefix("exported_")
        if defining and not any(re.search(rf"[\"']{name}[\"']", source) for source in defining):
            yield f"no label {label} where its metric is defined"
    for label, value in sorted(set(re.findall(r"(\w+)=\"([^\"]*)\"", expression))):
        if label not in OWN_LABELS and not any(f'"{value}"' in source for source in sources):
            yield f"nothing in src sets {label} to {value}"


def rule_faults(rule: dict[str, Any], sources: list[str]) -> Iterator[str]:
    expression = str(rule.get("expr") or "")
    if not expression:
        yield "no expr"
    if any(expression.count(pair[0]) != expression.count(pair[1]) for pair in ("()", "{}", "[]")):
        yield "brackets of expr do not match"
    if at(rule, "labels", "severity") not in {"page", "ticket"}:
        yield "severity must be page or ticket"
    if not at(rule, "annotations", "summary"):
        yield "no summary"
    yield from naming_faults(expression, sources)


def faults(root: Path) -> Iterator[str]:
    """One line per fault of the configuration and the alerts."""
    config = read_mapping(root, CONFIG)
    yield from (f"{CONFIG}: {fault}" for fault in scrape_faults(root, config))
    sources = [path.read_text(encoding="utf-8") for path in sorted((root / "src").rglob("*.py"))]
    for name in config.get("rule_files") or []:
        file = f"docker/prometheus/{name}"
        for group in read_mapping(root, file).get("groups") or []:
            for rule in at(group, "rules") or []:
                yield from (f"{file}: {rule.get('alert')}: {fault}" for fault in rule_faults(rule, sources))
