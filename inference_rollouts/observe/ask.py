"""Ask everything before a raise, or `retire`, and get every finding. Nothing here decides or acts.

A fall asks nothing, so it never comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from inference_rollouts import probed
from inference_rollouts.checks import Finding, LeastTime, MetricCheck, Sample, completed, judge
from inference_rollouts.manifests.inference_pool import InferenceApi
from inference_rollouts.observe import readiness
from inference_rollouts.observe.bake import baked
from inference_rollouts.observe.cluster import Cluster, Found
from inference_rollouts.observe.prometheus import Prometheus
from inference_rollouts.observe.queries import Series, query_of, requests_of
from inference_rollouts.observe.targets import ReadyTarget, SplitTarget


@dataclass(frozen=True, kw_only=True)
class BakeTarget:
    """The least time that the weights must have stood.

    Attributes:
        seconds: the least time; 0 asks nothing.
        splits: what carries the weights in question: the route, or one adapter's splits. They are among those to be ready.
        check: what the config calls it: `settle`, `bake`, or `keep` at 100.
    """

    seconds: float
    splits: tuple[SplitTarget, ...]
    check: LeastTime = "bake"


@dataclass(frozen=True, kw_only=True)
class ProbeTarget:
    """The probe that must have passed.

    Attributes:
        canary: the version that was to be probed.
        digest: of it, as it stands.
        stack: the stack, for what to say.
    """

    canary: str
    digest: str
    stack: str


@dataclass(frozen=True, kw_only=True)
class MetricTarget:
    """The metric checks, and where their series are. A canary without weight has no traffic to ask about: leave it out.

    Attributes:
        prometheus: where to ask.
        api: API generation, which decides the picker's metric names.
        checks: as in the config.
        canary: what is to get more weight.
        stable: what it is compared with; None when that has no traffic any more.
    """

    prometheus: Prometheus
    api: InferenceApi
    checks: tuple[MetricCheck, ...]
    canary: Series
    stable: Series | None = None


def ask(
    cluster: Cluster,
    target: ReadyTarget,
    *,
    now: datetime,
    bake: BakeTarget | None = None,
    probe: ProbeTarget | None = None,
    metrics: MetricTarget | None = None,
) -> list[Finding]:
    """Every finding, in this order: readiness, bake, probe, metrics. What cannot be judged is an unknown finding, no exception.

    Args:
        cluster: where to look.
        target: what has to be ready.
        now: the time that `bake` counts to, with a time zone.
        bake: the least time that the weights must have stood.
        probe: the probe that must have passed.
        metrics: the metric checks.
    """
    with ThreadPoolExecutor(1) as aside:
        asked = aside.submit(metric_findings, metrics) if metrics else None
        found = _surely("ready", lambda: _of_cluster(cluster, target, bake, probe, now))
        return found + (asked.result() if asked else [])


def metric_findings(target: MetricTarget) -> list[Finding]:
    """The findings of the metric checks alone."""
    with ThreadPoolExecutor(8) as several:
        asked = [several.submit(_metric, target, check) for check in target.checks]
        return [finding for question in asked for finding in question.result()]


def _of_cluster(
    cluster: Cluster, target: ReadyTarget, bake: BakeTarget | None, probe: ProbeTarget | None, now: datetime
) -> list[Finding]:
    seen = readiness.look(cluster, target)
    found = _surely("ready", lambda: readiness.findings(target, seen))
    found += _surely(bake.check if bake else "bake", lambda: list(_bakes(target, seen, bake, now)))
    return found + _surely(probed.CHECK, lambda: list(_probes(target, seen, probe)))


def _bakes(target: ReadyTarget, seen: readiness.Observed, bake: BakeTarget | None, now: datetime) -> Iterator[Finding]:
    for split in bake.splits if bake and bake.seconds > 0 else ():
        assert bake, "nothing to do without one"
        yield baked(seen.split(split), target.at(split.kind, split.name), now, bake.seconds, bake.check)


def _probes(target: ReadyTarget, seen: readiness.Observed, probe: ProbeTarget | None) -> Iterator[Finding]:
    """Nothing where the route cannot be read: readiness has said so, and refuses."""
    route = seen.split(target.route)
    if probe and isinstance(route, Found):
        annotations = (route.value.get("metadata") or {}).get("annotations") or {}
        at = target.at(target.route.kind, target.route.name)
        yield probed.judge(annotations, probe.canary, probe.digest, at=at, stack=probe.stack)


def _surely(check: str, judged: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings, or an unknown one: an object of a shape that nobody foresaw must not pass, nor bring the guard down."""
    try:
        return judged()
    except Exception as e:
        return [Finding(check, "unknown", f"what could not be judged ({type(e).__name__}: {e})", "a judgement", "the cluster")]


def _metric(target: MetricTarget, check: MetricCheck) -> list[Finding]:
    return _surely(check.name, lambda: [metric(target, check)])


def metric(target: MetricTarget, check: MetricCheck) -> Finding:
    """The finding of one metric check."""
    whole = completed(check)
    stable = target.stable if whole.max_ratio is not None else None
    return judge(whole, _sampled(target, whole, target.canary), _sampled(target, whole, stable) if stable else None)


def _sampled(target: MetricTarget, check: MetricCheck, series: Series) -> Sample:
    """The check's query for one version, and the number of its requests where that matters."""
    at = f"{series.pool}{f', adapter {series.adapter}' if series.adapter else ''}, {target.prometheus.place}"
    query = query_of(check, target.api, series)
    if query is None:
        return Sample(error=f"there is no ready-made query {check.name} for {target.api}", at=at)
    sample = replace(target.prometheus.query(query), at=at)
    if sample.error or check.min_requests is None:
        return sample
    counted = target.prometheus.query(requests_of(target.api, series, check.window_seconds))
    if counted.error:
        return replace(sample, error=f"number of requests: {counted.error}")
    return replace(sample, requests=counted.value, warnings=sample.warnings + counted.warnings)
