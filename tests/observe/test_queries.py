"""The ready-made queries: what they ask for, and what a real Prometheus server answers to them.

The series have even rates, so that every outcome is known: the canary's pool has another name than its version, and other
clusters, namespaces and versions write series of the same names that must never be counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from inference_rollouts.checks import READY_MADE, MetricCheck
from inference_rollouts.manifests.inference_pool import InferenceApi
from inference_rollouts.observe.ask import MetricTarget, metric
from inference_rollouts.observe.prometheus import Prometheus
from inference_rollouts.observe.queries import TEMPLATES, Series, query_of, requests_of
from tests.observe import real_prometheus

APIS: tuple[InferenceApi, ...] = ("v1", "llm-d", "v1alpha2")
HERE = {"cluster": "prod", "location": "us-central1"}
CANARY = Series(pool="llm-new-pool", namespace="default", picker="llm-new-epp", server="llm-new", labels=HERE)
STABLE = Series(pool="llm-pool", namespace="default", picker="llm-epp", server="llm", labels=HERE)
QUIET = replace(CANARY, picker="quiet-epp", server="quiet", pool="quiet")
NOBODY = replace(CANARY, picker="nobody-epp", server="nobody", pool="nobody")


def series() -> real_prometheus.Series:
    """What canary and stable report: the canary has 10 requests a second, stable 90."""
    out = real_prometheus.Series()
    picker = {"namespace": "default", **HERE, "instance": "a"}
    for first in ("inference_objective", "llm_d_epp", "inference_model"):
        _requests(out, first, picker)
    for name in ("inference_pool", "llm_d_epp"):
        out.gauge(f"{name}_average_queue_size", {**picker, "job": "legacy-epp", "name": "legacy"}, 7)
        out.gauge(f"{name}_average_queue_size", {**picker, "job": "legacy-epp", "name": "legacy", "instance": "b"}, 3)
        out.gauge(f"{name}_average_kv_cache_utilization", {**picker, "job": "legacy-epp", "name": "legacy"}, 0.4)
        out.gauge(f"{name}_average_kv_cache_utilization", {**picker, "job": "llm-new-epp", "name": "llm-new-pool"}, 0)
    _servers(out, picker)
    return out


def _requests(out: real_prometheus.Series, first: str, picker: dict[str, str]) -> None:
    """Errors: the canary 2 %, of which the adapter tone-v2 has all; stable none, so that it has no such series."""
    total, errors = f"{first}_request_total", f"{first}_request_error_total"
    new = {**picker, "job": "llm-new-epp", "model_name": "tone"}
    out.counter(total, {**new, "target_model_name": "tone-v1"}, 6)
    out.counter(total, {**new, "target_model_name": "tone-v2"}, 4)
    out.counter(errors, {**new, "target_model_name": "tone-v2", "error_code": "500"}, 0.15)
    out.counter(errors, {**new, "target_model_name": "tone-v2", "error_code": "429"}, 0.05)
    out.counter(total, {**picker, "job": "llm-epp", "model_name": "llm"}, 90)
    out.counter(total, {**picker, "job": "quiet-epp", "model_name": "llm"}, 0)
    young = {**picker, "job": "young-epp", "model_name": "llm"}
    out.write(total, young, lambda _: 100, since=-120)
    out.write(errors, {**young, "error_code": "500"}, lambda _: 25, since=-120)
    for other in ({"cluster": "dev"}, {"namespace": "staging"}, {"job": "somebody-epp"}):
        out.counter(total, {**new, **other}, 1000)
        out.counter(errors, {**new, "error_code": "500", **other}, 1000)


def _servers(out: real_prometheus.Series, common: dict[str, str]) -> None:
    """Two pods of the canary; 95 of 100 first tokens come within half a second, stable's within a quarter."""
    for instance, queue, cache in (("a", 2, 0.5), ("b", 4, 0.7)):
        pod = {**common, "job": "llm-new", "instance": instance, "model_name": "llm"}
        out.gauge("vllm:num_requests_waiting", pod, queue)
        out.gauge("vllm:kv_cache_usage_perc", pod, cache)
        out.histogram("vllm:time_to_first_token_seconds", pod, {"0.25": 80, "0.5": 15, "1.0": 5, "+Inf": 0})
        out.histogram("vllm:inter_token_latency_seconds", pod, {"0.025": 95, "0.05": 5, "+Inf": 0})
    stable = {**common, "job": "llm", "model_name": "llm"}
    out.histogram("vllm:time_to_first_token_seconds", stable, {"0.25": 95, "0.5": 5, "+Inf": 0})
    out.histogram("vllm:time_per_output_token_seconds", stable, {"0.025": 50, "0.05": 50, "+Inf": 0})
    out.gauge("vllm:gpu_cache_usage_perc", stable, 0.95)
    out.histogram("vllm:time_to_first_token_seconds", {**common, "job": "quiet"}, {"0.25": 0, "+Inf": 0})
    out.histogram("vllm:time_to_first_token_seconds", {**common, "job": "slow"}, {"0.25": 0, "+Inf": 1})
    out.counter("vllm:request_success_total", {**common, "job": "legacy", "finished_reason": "stop"}, 5)
    adapter = {**common, "job": "llm-new-epp", "model_name": "tone", "target_model_name": "tone-v2"}
    for first in ("inference_objective", "llm_d_epp"):
        out.histogram(f"{first}_request_ttft_seconds", adapter, {"1.0": 95, "2.0": 5, "+Inf": 0})
    for first in ("inference_objective", "inference_model"):
        out.histogram(f"{first}_normalized_time_per_output_token_seconds", adapter, {"0.1": 95, "0.2": 5, "+Inf": 0})


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with real_prometheus.serving(series(), tmp_path_factory.mktemp("prometheus")) as url:
        yield Prometheus(url)


def value(prometheus: Prometheus, name: str, of: Series = CANARY, api: InferenceApi = "v1", window: int = 300) -> float | None:
    query = query_of(MetricCheck(name=name, window_seconds=window), api, of)
    assert query
    sample = prometheus.query(query)
    assert (sample.error, sample.warnings) == (None, ())
    return sample.value


# --- as text ----------------------------------------------------------------------------------------------------------


def test_every_ready_made_check_has_a_query_and_no_other() -> None:
    assert set(TEMPLATES) == set(READY_MADE)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("adapter", [None, "tone-v2"])
@pytest.mark.parametrize("name", sorted(READY_MADE))
def test_no_placeholder_is_left_in_a_query(name: str, adapter: str | None, api: InferenceApi) -> None:
    query = query_of(MetricCheck(name=name), api, replace(CANARY, adapter=adapter))

    assert query is None or "$" not in query
    assert (query is None) == ((name, api) == ("time-to-first-token", "v1alpha2") and adapter is not None)
    assert "$" not in requests_of(api, CANARY, 300)


def test_a_query_of_ones_own_is_asked_for_each_version_and_keeps_its_own_dollars() -> None:
    check = MetricCheck(name="mine", query='rate(x_total{$server, path=~"/v1/.*$"}[$window]) # $pool', window_seconds=60)

    assert query_of(check, "v1", STABLE) == (
        'rate(x_total{job="llm", namespace="default", cluster="prod", location="us-central1", path=~"/v1/.*$"}[60s]) # llm-pool'
    )


def test_a_name_that_is_not_ready_made_has_no_query() -> None:
    assert query_of(MetricCheck(name="mine"), "v1", CANARY) is None


# --- on a real server -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
def test_the_error_ratio_counts_this_version_in_this_cluster_only(prometheus: Prometheus, api: InferenceApi) -> None:
    assert value(prometheus, "error-ratio", api=api) == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize("api", APIS)
def test_the_error_ratio_of_an_adapter_version_is_told_apart(prometheus: Prometheus, api: InferenceApi) -> None:
    assert value(prometheus, "error-ratio", replace(CANARY, adapter="tone-v2"), api) == pytest.approx(0.05, rel=0.01)
    assert value(prometheus, "error-ratio", replace(CANARY, adapter="tone-v1"), api) == 0


@pytest.mark.parametrize("api", APIS)
def test_no_error_series_means_no_errors_only_where_there_are_requests(prometheus: Prometheus, api: InferenceApi) -> None:
    assert value(prometheus, "error-ratio", STABLE, api) == 0
    assert value(prometheus, "error-ratio", NOBODY, api) is None


@pytest.mark.parametrize("api", APIS)
def test_errors_that_came_up_with_their_series_count(prometheus: Prometheus, api: InferenceApi) -> None:
    """`rate` alone would call these 25 errors in 100 requests no error at all."""
    assert value(prometheus, "error-ratio", replace(CANARY, picker="young-epp"), api) == 0.25


@pytest.mark.parametrize("api", APIS)
def test_without_requests_the_error_ratio_is_no_number(prometheus: Prometheus, api: InferenceApi) -> None:
    ratio = value(prometheus, "error-ratio", QUIET, api)

    assert ratio is not None
    assert math.isnan(ratio)


def test_the_time_to_first_token_is_the_95th_percentile_of_all_pods(prometheus: Prometheus) -> None:
    assert value(prometheus, "time-to-first-token") == pytest.approx(0.5)
    assert value(prometheus, "time-to-first-token", STABLE) == pytest.approx(0.25)


def test_the_time_per_output_token_is_read_from_old_and_new_servers(prometheus: Prometheus) -> None:
    assert value(prometheus, "time-per-output-token") == pytest.approx(0.025)
    assert value(prometheus, "time-per-output-token", STABLE) == pytest.approx(0.0475)


def test_latencies_of_an_adapter_version_are_the_pickers(prometheus: Prometheus) -> None:
    tone = replace(CANARY, adapter="tone-v2")

    assert value(prometheus, "time-to-first-token", tone) == pytest.approx(1.0)
    assert value(prometheus, "time-to-first-token", tone, "llm-d") == pytest.approx(1.0)
    assert value(prometheus, "time-per-output-token", tone) == pytest.approx(0.1)
    assert value(prometheus, "time-per-output-token", tone, "v1alpha2") == pytest.approx(0.1)


@pytest.mark.parametrize("api", APIS)
def test_queue_and_cache_are_averages_over_the_servers_pods(prometheus: Prometheus, api: InferenceApi) -> None:
    assert value(prometheus, "queue", api=api) == pytest.approx(3)
    assert value(prometheus, "kv-cache", api=api) == pytest.approx(0.6), "not the 0 of a picker that reads another name"
    assert value(prometheus, "kv-cache", STABLE, api) == pytest.approx(0.95)


@pytest.mark.parametrize("api", APIS)
def test_queue_and_cache_of_other_engines_are_the_pickers(prometheus: Prometheus, api: InferenceApi) -> None:
    other = replace(CANARY, picker="legacy-epp", server="legacy", pool="legacy")

    assert value(prometheus, "queue", other, api) == pytest.approx(7), "of two replicas of a picker the higher counts"
    assert value(prometheus, "kv-cache", other, api) == pytest.approx(0.4)


@pytest.mark.parametrize("api", APIS)
def test_requests_in_the_window_are_counted(prometheus: Prometheus, api: InferenceApi) -> None:
    def count(of: Series, window: int = 300) -> float | None:
        return prometheus.query(requests_of(api, of, window)).value

    assert count(CANARY) == pytest.approx(3000, rel=0.01)
    assert count(CANARY, 600) == pytest.approx(6000, rel=0.01)
    assert count(replace(CANARY, adapter="tone-v2")) == pytest.approx(1200, rel=0.01)
    assert count(replace(CANARY, picker="young-epp")) == 100
    assert count(replace(CANARY, picker="nobody", server="legacy")) == pytest.approx(1500, rel=0.01)
    assert count(NOBODY) is None


# --- judged -----------------------------------------------------------------------------------------------------------


def judged(prometheus: Prometheus, check: MetricCheck, canary: Series = CANARY, stable: Series | None = STABLE) -> str:
    target = MetricTarget(prometheus=prometheus, api="v1", checks=(), canary=canary, stable=stable)
    return metric(target, check).verdict


@pytest.mark.parametrize(
    ("check", "canary", "verdict"),
    [
        (MetricCheck(name="error-ratio"), CANARY, "pass"),
        (MetricCheck(name="error-ratio", max=0.01), CANARY, "fail"),
        (MetricCheck(name="error-ratio"), QUIET, "unknown"),
        (MetricCheck(name="error-ratio"), NOBODY, "unknown"),
        (MetricCheck(name="error-ratio", min_requests=5000), CANARY, "unknown"),
        (MetricCheck(name="error-ratio", max_ratio=2), CANARY, "fail"),
        (MetricCheck(name="time-to-first-token", max=0.6), CANARY, "pass"),
        (MetricCheck(name="time-to-first-token", max=0.4), CANARY, "fail"),
        (MetricCheck(name="time-to-first-token", max=0.4, min_requests=0), QUIET, "unknown"),
        (MetricCheck(name="time-to-first-token", max=0.4, when_empty="pass"), QUIET, "pass"),
        (MetricCheck(name="time-to-first-token", max=0.4), NOBODY, "unknown"),
        (MetricCheck(name="time-to-first-token", max_ratio=2.1), CANARY, "pass"),
        (MetricCheck(name="time-to-first-token", max_ratio=1.5), CANARY, "fail"),
        (MetricCheck(name="time-per-output-token", max=0.03), CANARY, "pass"),
        (MetricCheck(name="time-per-output-token", max=0.02), CANARY, "fail"),
        (MetricCheck(name="time-per-output-token", max=0.03), NOBODY, "unknown"),
        (MetricCheck(name="queue"), CANARY, "pass"),
        (MetricCheck(name="queue", max=2), CANARY, "fail"),
        (MetricCheck(name="queue"), NOBODY, "unknown"),
        (MetricCheck(name="kv-cache"), CANARY, "pass"),
        (MetricCheck(name="kv-cache"), replace(CANARY, server="llm"), "fail"),
        (MetricCheck(name="kv-cache"), NOBODY, "unknown"),
        (MetricCheck(name="mine", query="vllm:num_requests_waiting{$server}", max=9), CANARY, "unknown"),
        (MetricCheck(name="mine", query="max(vllm:num_requests_waiting{$server})", max=9, min=4), CANARY, "pass"),
        (MetricCheck(name="mine", query="sum(", max=9), CANARY, "unknown"),
    ],
)
def test_the_ready_made_checks_on_a_real_server(prometheus: Prometheus, check: MetricCheck, canary: Series, verdict: str) -> None:
    assert judged(prometheus, check, canary) == verdict


def test_a_percentile_beyond_the_last_bucket_is_infinite_and_breaks_every_limit(prometheus: Prometheus) -> None:
    """`histogram_quantile` alone would answer 0.25, the last bound that there is."""
    slow = replace(CANARY, server="slow")

    assert value(prometheus, "time-to-first-token", slow) == float("inf")
    assert judged(prometheus, MetricCheck(name="time-to-first-token", max=1000, min_requests=0), slow) == "fail"
