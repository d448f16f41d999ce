"""Check that Prometheus scrapes both applications and that its alerts name metrics and labels that the code has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promql_parser

from .compose import COMPOSE
from .reading import read_mapping, value_at

CONFIG = "docker/prometheus/prometheus.yml"
# The metric that Prometheus makes itself, and the labels that it adds or that every histogram has.
STANDARD_METRICS = {"up"}
STANDARD_LABELS = {"job", "instance", "le"}


def scrape_faults(root: Path, config: dict[str, Any]) -> Iterator[str]:
    services = read_mapping(root, COMPOSE).get("services") or {}
    jobs = {value_at(job, "job_name"): job for job in config.get("scrape_configs") or []}
    for application in ("provider", "dashboard"):
        if application not in jobs:
            yield f"does not scrape {application}"
    for name, job in jobs.items():
        for source in job.get("dns_sd_configs") or []:
            for host in source.get("names") or []:
                ports = [str(port).rpartition(":")[2] for port in value_at(services, host, "ports") or []]
                if str(source.get("port")) not in ports:
                    yield f"{name}: {COMPOSE} has no service with the port {host}:{source.get('port')}"


@dataclass
class Names:
    """The metrics, the labels and the values of labels that a PromQL expression names."""

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    values: set[tuple[str, str]] = field(default_factory=set)

    def collect(self, node: promql_parser.Expr) -> None:
        """Add the names of one node of the expression, without its children."""
        if isinstance(node, promql_parser.VectorSelector):
            self.metrics |= {node.name} if node.name else set()
            self.labels |= {matcher.name for matcher in node.matchers.matchers}
            exact = [each for each in node.matchers.matchers if each.op == promql_parser.MatchOp.Equal]
            self.values |= {(matcher.name, matcher.value) for matcher in exact}
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            self.labels |= set(node.modifier.labels)
        elif isinstance(node, promql_parser.BinaryExpr) and node.modifier and node.modifier.matching:
            self.labels |= set(node.modifier.matching.labels)


def name_faults(expression: promql_parser.Expr, sources: list[str]) -> Iterator[str]:
    """An alert on a metric or a label that no file of `sources` defines would never fire."""
    names = Names()
    promql_parser.walk(expression, names.collect)
    defining = []
    for metric in sorted(names.metrics - STANDARD_METRICS):
        # prometheus_client adds these endings itself.
        name = re.sub(r"_(bucket|count|sum|total)$", "", metric)
        found = [source for source in sources if re.search(rf"[\"']{name}(_total)?[\"']", source)]
        if not found:
            yield f"src has no metric {name}"
        defining += found
    for label in sorted(names.labels - STANDARD_LABELS):
        # Prometheus renames a metric's label that it sets itself: job becomes exported_job.
        name = label.removeprefix("exported_")
        if defining and not any(re.search(rf"[\"']{name}[\"']", source) for source in defining):
            yield f"the file of its metric has no label {label}"
    for label, value in sorted(names.values):
        # A value stands in the source as a string, or as a field whose name becomes the value.
        sets_value = re.compile(rf'"{re.escape(value)}"|^    {re.escape(value)}: ', re.MULTILINE)
        if label not in STANDARD_LABELS and not any(sets_value.search(source) for source in sources):
            yield f"src never sets {label} to {value}"


def rule_faults(rule: dict[str, Any], sources: list[str]) -> Iterator[str]:
    if value_at(rule, "labels", "severity") not in {"page", "ticket"}:
        yield "severity must be page or ticket"
    if not value_at(rule, "annotations", "summary"):
        yield "summary is missing"
    try:
        expression = promql_parser.parse(str(rule.get("expr") or ""))
    except ValueError as error:
        yield f"expr is not valid PromQL: {error}"
        return
    yield from name_faults(expression, sources)


def faults(root: Path) -> Iterator[str]:
    """Yield one line per fault of the configuration and the alerts."""
    config = read_mapping(root, CONFIG)
    yield from (f"{CONFIG}: {fault}" for fault in scrape_faults(root, config))
    sources = [path.read_text(encoding="utf-8") for path in sorted((root / "src").rglob("*.py"))]
    for name in config.get("rule_files") or []:
        file = f"docker/prometheus/{name}"
        for group in read_mapping(root, file).get("groups") or []:
            for rule in value_at(group, "rules") or []:
                yield from (f"{file}: {rule.get('alert')}: {fault}" for fault in rule_faults(rule, sources))
