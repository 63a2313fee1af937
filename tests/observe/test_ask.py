"""Asking everything at once: which findings come, in which order, and that nothing but findings ever comes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from inference_rollouts.checks import Finding, MetricCheck, blocks
from inference_rollouts.observe.ask import BakeTarget, MetricTarget, ProbeTarget, ask
from inference_rollouts.observe.cluster import Cluster
from inference_rollouts.observe.prometheus import Prometheus
from inference_rollouts.observe.queries import Series
from tests.observe.fake_apiserver import FakeApiServer
from tests.observe.fake_prometheus import FakePrometheus, Reply, vector
from tests.observe.world import SINCE, everything, pool, route, target

CHECKS = (MetricCheck(name="queue"), MetricCheck(name="error-ratio", max_ratio=2))
CANARY = Series(pool="llm-new-pool", namespace="default", picker="llm-new-epp", server="llm-new")
STABLE = replace(CANARY, pool="llm-pool", picker="llm-epp", server="llm")
NOW = datetime.fromisoformat(SINCE) + timedelta(minutes=5)


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as fake:
        everything(fake)
        yield fake


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    with FakePrometheus(lambda _: vector("60")) as fake:
        yield fake


def metrics(prometheus: FakePrometheus, **more: Any) -> MetricTarget:
    asked: dict[str, Any] = {"prometheus": Prometheus(prometheus.url), "api": "v1", "checks": CHECKS, "canary": CANARY}
    return MetricTarget(**asked | more)


def bake(seconds: float = 600) -> BakeTarget:
    return BakeTarget(seconds=seconds, splits=(target().route,))


def asked(server: FakeApiServer, **more: Any) -> list[Finding]:
    return ask(Cluster(kubeconfig=server.kubeconfig()), target(), now=NOW, **more)


def test_readiness_comes_first_then_bake_then_the_metrics_in_their_order(
    server: FakeApiServer, prometheus: FakePrometheus
) -> None:
    found = asked(server, bake=bake(), metrics=metrics(prometheus, stable=STABLE))

    assert [f.check for f in found] == [
        "canary ready",
        "canary picker ready",
        "canary pool accepted",
        "route accepted",
        "live weights",
        "record agrees",
        "bake",
        "queue",
        "error-ratio",
    ]
    assert [f.check for f in blocks(found)] == ["bake", "queue"]


def test_without_bake_and_metrics_only_readiness_is_asked(server: FakeApiServer) -> None:
    found = asked(server, bake=bake(0))

    assert blocks(found) == []
    assert {f.check for f in found}.isdisjoint({"bake", "queue", "error-ratio"})


PROBE = ProbeTarget(canary="llm-new", digest="0123456789abcdef", stack="prod")


def test_a_probe_is_asked_of_the_route_between_bake_and_metrics(server: FakeApiServer, prometheus: FakePrometheus) -> None:
    found = asked(server, bake=bake(), probe=PROBE, metrics=metrics(prometheus))

    assert [f.check for f in found][-4:] == ["bake", "probe", "queue", "error-ratio"]
    assert found[-3].sentence.startswith("probe: seen none on the route, wanted a passed probe of llm-new")


def test_a_route_that_is_not_there_is_said_so_once_and_has_no_probe(server: FakeApiServer) -> None:
    server.objects = {place: value for place, value in server.objects.items() if value["kind"] != "HTTPRoute"}
    found = asked(server, probe=PROBE)

    assert "probe" not in {f.check for f in found}
    assert any(f.check == "live weights" for f in blocks(found))


def test_annotations_of_a_shape_that_nobody_foresaw_are_unknown(server: FakeApiServer) -> None:
    strange = route()
    strange["metadata"]["annotations"] = ["inference-rollouts/probe"]
    server.put(strange)

    assert [(f.check, f.verdict) for f in asked(server, probe=PROBE)][-1] == ("probe", "unknown")


def test_stable_is_asked_only_where_it_is_compared_with(server: FakeApiServer, prometheus: FakePrometheus) -> None:
    asked(server, metrics=metrics(prometheus, stable=STABLE, checks=(MetricCheck(name="queue"),)))

    queries = [form["query"] for _, form, _ in prometheus.asked]
    assert len(queries) == 1
    assert 'job="llm-new"' in queries[0]


def test_a_metric_names_the_pool_and_the_server_that_it_is_about(server: FakeApiServer, prometheus: FakePrometheus) -> None:
    *_, finding = asked(server, metrics=metrics(prometheus, canary=replace(CANARY, adapter="tone-v2")))

    assert finding.at == f"llm-new-pool, adapter tone-v2, {prometheus.url}"
    assert finding.sentence.startswith("error-ratio: seen 60, with no stable to compare with, wanted at most 2 times stable's")


def test_a_count_of_requests_that_fails_is_told(server: FakeApiServer, prometheus: FakePrometheus) -> None:
    def answer(query: str) -> Reply:
        return (500, {"error": "too many samples"}) if query.startswith("sum((") else vector("0.01")

    prometheus.answer = answer
    *_, finding = asked(server, metrics=metrics(prometheus))

    assert (finding.verdict, finding.seen) == ("unknown", "no answer: number of requests: HTTP 500: too many samples")


def test_a_metric_that_does_not_exist_is_unknown(server: FakeApiServer, prometheus: FakePrometheus) -> None:
    legacy = metrics(
        prometheus,
        api="v1alpha2",
        canary=replace(CANARY, adapter="tone-v2"),
        checks=(MetricCheck(name="time-to-first-token", max=1), MetricCheck(name="made-up", max=1)),
    )
    *_, first, second = asked(server, metrics=legacy)

    assert first.seen == "no answer: there is no ready-made query time-to-first-token for v1alpha2"
    assert (first.verdict, second.verdict) == ("unknown", "unknown")


def test_with_everything_broken_every_finding_is_unknown_and_none_is_an_exception() -> None:
    broken = Cluster(kubeconfig="{", timeouts=(0.1, 0.1))
    nobody = MetricTarget(prometheus=Prometheus("http://127.0.0.1:1"), api="v1", checks=CHECKS, canary=CANARY)
    found = ask(broken, target(adapters=("tone-v2",)), now=NOW, bake=bake(), metrics=nobody)

    assert {f.verdict for f in found} == {"unknown"}
    assert all(f.seen.startswith("no answer: ") for f in found)


def test_an_object_of_a_shape_that_nobody_foresaw_is_unknown_and_the_rest_is_still_asked(
    server: FakeApiServer, prometheus: FakePrometheus
) -> None:
    strange = copy.deepcopy(pool())
    del strange["metadata"]["generation"]
    server.put(strange)
    found = asked(server, bake=bake(60), metrics=metrics(prometheus))

    assert found[0].seen == "what could not be judged (KeyError: 'generation')"
    assert [f.verdict for f in found] == ["unknown", "pass", "fail", "unknown"]


def test_a_bake_of_a_shape_that_nobody_foresaw_is_unknown_too(server: FakeApiServer) -> None:
    strange = route()
    strange["metadata"]["managedFields"][0]["time"] = "yesterday"
    server.put(strange)

    *ready, finding = asked(server, bake=bake())
    assert blocks(ready) == []
    assert (finding.check, finding.verdict) == ("bake", "unknown")
