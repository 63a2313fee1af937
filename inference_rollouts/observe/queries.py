"""The ready-made queries: PromQL for vLLM and the endpoint picker, by API generation. Pure text; nothing is asked here.

The servers' own numbers come first and the picker's second, for three reasons: a picker that reads an older vLLM's names
reports a KV cache of 0 (GIE v0.5 to v1.2), it counts times to first token only with its latency predictor (GIE v1.5), and the
legacy one is not scraped at all. An adapter version's requests are told apart by the picker alone, by `target_model_name`.
`llm-d` names come with their predecessors, which llm-d-router v0.10 still writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Template

from inference_rollouts.checks import MetricCheck
from inference_rollouts.manifests.inference_pool import InferenceApi


@dataclass(frozen=True, kw_only=True)
class Series:
    """Where one version's series are: what the placeholders of a query stand for.

    Attributes:
        pool, namespace: the InferencePool.
        picker, server: their `job` labels; with managed collection the names of their PodMonitorings. Request metrics have no
            pool label, so the job is what tells versions apart.
        labels: further labels of every series, as `cluster` and `location` on GKE, where one Prometheus sees all clusters.
        adapter: the adapter version whose requests are meant; None for all requests of the pool.
    """

    pool: str
    namespace: str
    picker: str
    server: str
    labels: Mapping[str, str] = field(default_factory=dict)
    adapter: str | None = None

    def fill(self, query: str, window_seconds: int) -> str:
        """The query for this version."""
        picker = {"job": self.picker, "namespace": self.namespace, **self.labels}
        requests = picker if self.adapter is None else {**picker, "target_model_name": self.adapter}
        return Template(query).safe_substitute(
            picker=_matchers(picker),
            requests=_matchers(requests),
            server=_matchers({**picker, "job": self.server}),
            pool=self.pool,
            namespace=self.namespace,
            window=f"{window_seconds}s",
        )


def _matchers(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())


REQUEST_METRICS: Mapping[InferenceApi, tuple[str, ...]] = {
    "v1": ("inference_objective",),
    "llm-d": ("llm_d_epp", "inference_objective"),
    "v1alpha2": ("inference_model",),
}
"""First word of the picker's request metrics."""

POOL_METRICS: Mapping[InferenceApi, tuple[str, ...]] = {
    "v1": ("inference_pool",),
    "llm-d": ("llm_d_epp", "inference_pool"),
    "v1alpha2": ("inference_pool",),
}
"""First word of the picker's gauges, which are averages over the pool's pods and carry its name."""


def query_of(check: MetricCheck, api: InferenceApi, series: Series) -> str | None:
    """The query of a check for one version; None when there is no metric for it."""
    if check.query is not None:
        return series.fill(check.query, check.window_seconds)
    template = TEMPLATES[check.name](api, series.adapter is not None) if check.name in TEMPLATES else ""
    return series.fill(template, check.window_seconds) or None


def requests_of(api: InferenceApi, series: Series, window_seconds: int) -> str:
    """The query for the number of requests in the window, which the traffic floor is held against."""
    counted = [_growth(f"{first}_request_total{{$requests}}") for first in REQUEST_METRICS[api]]
    if series.adapter is None:
        counted.append(_growth("vllm:request_success_total{$server}"))
    return series.fill(_first_of(counted), window_seconds)


def _first_of(queries: list[str]) -> str:
    """The first that has an answer; all of them are without labels."""
    return " or ".join(queries)


def _growth(selector: str) -> str:
    """How much a counter grew in the window, all series together.

    `increase` alone says 0 for a series that came up within the window, as an error counter does with its first error: of
    such a series everything counts.
    """
    return f"sum(({selector} unless {selector} offset $window) or increase({selector}[$window]))"


def _error_ratio(api: InferenceApi, adapter: bool) -> str:  # noqa: ARG001 - one shape for all templates
    """Errors by requests. No error series means no errors only where there is a request series."""
    ratios = []
    for first in REQUEST_METRICS[api]:
        requests = _growth(f"{first}_request_total{{$requests}}")
        errors = _growth(f"{first}_request_error_total{{$requests}}")
        ratios.append(f"({errors} or 0 * {requests}) / {requests}")
    return _first_of(ratios)


def _p95(name: str, matchers: str) -> str:
    """The 95th percentile of a histogram; +Inf where it lies beyond the last bucket.

    `histogram_quantile` alone answers with the last bound there, so no limit above that (7.5 s with older servers) would ever
    be broken. The divisor is 0 then, else 1.
    """
    buckets = f"sum by (le) (rate({name}_bucket{{{matchers}}}[$window]))"
    within = f'max(sum by (le) (rate({name}_bucket{{{matchers}, le!="+Inf"}}[$window])))'
    return f"histogram_quantile(0.95, {buckets}) / (0.95 * sum(rate({name}_count{{{matchers}}}[$window])) <= bool {within})"


def _time_to_first_token(api: InferenceApi, adapter: bool) -> str:
    picker = {"v1": ["inference_objective"], "llm-d": ["llm_d_epp", "inference_objective"], "v1alpha2": []}[api]
    queries = [] if adapter else [_p95("vllm:time_to_first_token_seconds", "$server")]
    return _first_of(queries + [_p95(f"{first}_request_ttft_seconds", "$requests") for first in picker])


def _time_per_output_token(api: InferenceApi, adapter: bool) -> str:
    """For an adapter the picker's figure, which is the whole request's time by its output tokens: more than the servers'."""
    if adapter:
        name = "normalized_time_per_output_token_seconds"
        return _first_of([_p95(f"{first}_{name}", "$requests") for first in REQUEST_METRICS[api]])
    names = ("inter_token_latency", "time_per_output_token")
    return _first_of([_p95(f"vllm:{name}_seconds", "$server") for name in names])


def _gauge(server: tuple[str, ...], picker: str) -> Callable[[InferenceApi, bool], str]:
    """Average over the window and the pods. Several replicas of a picker report one pool: the highest counts."""

    def template(api: InferenceApi, adapter: bool) -> str:  # noqa: ARG001 - an adapter shares the pool's queue and cache
        queries = [f"avg(avg_over_time({name}{{$server}}[$window]))" for name in server]
        pool = [f"{first}_{picker}" for first in POOL_METRICS[api]]
        return _first_of(queries + [f'max(avg_over_time({name}{{name="$pool", $picker}}[$window]))' for name in pool])

    return template


TEMPLATES: Mapping[str, Callable[[InferenceApi, bool], str]] = {
    "error-ratio": _error_ratio,
    "time-to-first-token": _time_to_first_token,
    "time-per-output-token": _time_per_output_token,
    "queue": _gauge(("vllm:num_requests_waiting",), "average_queue_size"),
    "kv-cache": _gauge(("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"), "average_kv_cache_utilization"),
}
"""From API generation, and whether an adapter is meant, to the query with placeholders; empty without a metric."""
