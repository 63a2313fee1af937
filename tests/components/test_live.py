"""The guard asks the cluster before a raise, in `up` only; a fall asks nothing, however broken the world is."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from inference_rollouts.rehearsal.program import run
from tests.components.live_cluster import ROUTE, STACK, config, live, registered, update
from tests.conftest import ROOT
from tests.observe.fake_prometheus import FakePrometheus, vector
from tests.observe.world import pod, sidecar


def test_a_raise_is_allowed_when_everything_is_ready(cluster):
    assert update(config(STACK, 10), config(STACK, 25)).refusals == ()
    assert cluster.asked, "the cluster was asked"


def test_a_raise_is_refused_while_a_server_of_the_canary_is_not_available_and_says_what_was_seen(cluster):
    deployment = cluster.objects["/apis/apps/v1/namespaces/default/deployments/llm-new"]
    deployment["status"] |= {"availableReplicas": 1}

    (reason,) = update(config(STACK, 10), config(STACK, 25)).refusals

    assert reason.startswith("service llm: the weight is not raised: canary ready: seen 1 of 2 replicas available")
    assert reason.endswith("(run up again when that is mended; a fall to stage: prepare asks nothing)")


def test_a_raise_is_refused_when_somebody_edited_the_weights_by_hand(cluster):
    route = cluster.objects[ROUTE]
    for backend, weight in zip(route["spec"]["rules"][-1]["backendRefs"], (100, 0), strict=True):
        backend["weight"] = weight

    reasons = update(config(STACK, 10), config(STACK, 25)).refusals

    assert any("live weights: seen llm 100, llm-new 0" in reason for reason in reasons), reasons


def test_a_raise_is_refused_when_the_cluster_cannot_be_asked(broken_world):
    reasons = update(config(STACK, 10), config(STACK, 25)).refusals

    assert reasons, "what is unknown never raises a weight"
    assert all("the weight is not raised" in reason for reason in reasons)


@pytest.mark.parametrize(("deployed", "wanted"), [(10, 1), (10, "prepare"), (100, 10), ("retire", 100), ("prepare", "baseline")])
def test_a_fall_asks_nothing_and_is_allowed_however_broken_the_world_is(broken_world, deployed, wanted):
    assert update(config(STACK, deployed), config(STACK, wanted)).refusals == ()


def test_a_fall_sends_no_request(cluster):
    assert update(config(STACK, 10), config(STACK, "prepare")).refusals == ()
    assert cluster.asked == []


def test_preparing_asks_nothing(broken_world):
    assert update(config(STACK, "baseline"), config(STACK, "prepare")).refusals == ()


def test_a_preview_asks_nothing(broken_world):
    assert update(config(STACK, 10), config(STACK, 25), dry_run=True).refusals == ()


def test_an_override_of_this_very_move_is_not_asked_about(broken_world):
    override = {"from": 10, "to": 25, "reason": "the gateway publishes no status", "by": "ann"}

    assert update(config(STACK, 10), config(STACK, 25, override=override)).refusals == ()


def test_an_adapter_is_not_raised_before_every_ready_pod_holds_it(cluster):
    name = "lora-adapter"
    cluster.objects.clear()
    cluster.put(*live(run(ROOT, STACK, config(name, 10))))
    cluster.put(pod("a", "llm-pool"), pod("b", "llm-pool"))
    cluster.adapters |= {"a": sidecar(llm_v1="loaded", llm_v2="loaded"), "b": sidecar(llm_v1="loaded")}

    (reason,) = update(config(name, 10), config(name, 50)).refusals

    assert "llm-v2" in reason, reason
    assert json.dumps(cluster.asked).count("/proxy/adapters") == 2

    cluster.adapters["b"] = cluster.adapters["a"]
    assert update(config(name, 10), config(name, 50)).refusals == ()


def test_a_raise_waits_for_the_bake_and_says_how_long(cluster):
    route = cluster.objects[ROUTE]
    old, new = config(STACK, 10, bake="1h"), config(STACK, 25, bake="1h")

    assert update(old, new).refusals == (), "the rung has stood since the 24th of November at noon"

    for entry in route["metadata"]["managedFields"]:
        entry["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    (reason,) = update(old, new).refusals
    assert reason.startswith("service llm: the weight is not raised: bake: seen"), reason


@pytest.mark.parametrize(("value", "refused"), [(0.01, False), (0.2, True), (None, True)])
def test_a_raise_asks_the_metrics_of_the_canary(cluster, value, refused):
    query = "my_error_ratio{$server}"
    reply = vector() if value is None else vector(str(value))
    with FakePrometheus(lambda _: reply) as prometheus:
        keys = {"checks": [{"name": "errors", "query": query, "max": 0.05}]}
        old, new = config(STACK, 10, **keys), config(STACK, 25, **keys)
        for changed in (old, new):
            changed["inference-rollouts:metrics"] = {"url": prometheus.url}
        refusals = update(old, new).refusals

    assert bool(refusals) is refused
    assert all("errors: seen" in reason for reason in refusals), refusals
    assert prometheus.asked, "somebody asked"
    assert all('job="llm-new"' in form["query"] for _, form, _ in prometheus.asked), "the canary's series, and no others"


def test_a_canary_without_weight_is_asked_for_no_metrics(cluster):
    cluster.put(*live(run(ROOT, STACK, config(STACK, "prepare"))))
    keys = {"checks": [{"name": "errors", "query": "nobody_asks", "max": 0.05}]}

    assert update(config(STACK, "prepare", **keys), config(STACK, 1, **keys)).refusals == ()


def test_of_two_adapters_that_rise_each_waits_for_its_own_bake(cluster):
    """The one with the shorter bake is not carried along by the one whose longer bake is over."""

    def two(stage: Any) -> dict[str, Any]:
        changed = config("lora-adapter", stage, bake="2h")
        service = changed["inference-rollouts:services"]["llm"]
        other = copy.deepcopy(service["adapters"]["llm"])
        other["versions"] = {key.replace("llm", "tone"): value for key, value in other["versions"].items()}
        other |= {"serving": "tone-v1", "rollout": {**other["rollout"], "to": "tone-v2", "bake": "1h"}}
        service["adapters"]["tone"] = other
        return changed

    cluster.put(*live(run(ROOT, STACK, two(10))))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = "/apis/inference.networking.x-k8s.io/v1alpha2/namespaces/default/inferencemodelrewrites/llm-pool-tone"
    for entry in cluster.objects[path]["metadata"]["managedFields"]:
        entry["time"] = now
    cluster.put(pod("a", "llm-pool"))
    cluster.adapters["a"] = sidecar(**dict.fromkeys(("llm_v1", "llm_v2", "tone_v1", "tone_v2"), "loaded"))

    (reason,) = update(two(10), two(50)).refusals

    assert "bake: seen" in reason
    assert "llm-pool-tone" in reason


@pytest.mark.parametrize(("deployed", "wanted", "pods"), [("prepare", 1, 1), (1, 10, 1), (10, 25, 2), (25, 50, 3), (50, 100, 5)])
def test_an_autoscalers_deployed_minimum_is_enough_to_go_up_the_whole_ladder(cluster, deployed, wanted, pods):
    """The canary idles at what the deployed plan asks for; the pods of the rung after the wanted one come with the update."""

    def scaled(stage: Any) -> dict[str, Any]:
        changed = config(STACK, stage)
        service = changed["inference-rollouts:services"]["llm"] | {"peak": {"requestsPerSecond": 20}}
        for name, carries in (("llm", 5.0), ("llm-new", 4.0)):
            scale = {"autoscaling": {"min": 1, "max": 5}, "capacity": {"requestsPerSecond": carries}}
            service["versions"][name]["server"] |= scale
        return changed | {"inference-rollouts:services": {"llm": service}}

    registered(cluster, scaled(deployed))
    scaler = cluster.objects["/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/llm-new"]
    assert scaler["spec"]["minReplicas"] == pods
    server = cluster.objects["/apis/apps/v1/namespaces/default/deployments/llm-new"]
    server["spec"]["replicas"] = pods
    server["status"] |= dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), pods)
    assert update(scaled(deployed), scaled(wanted)).refusals == ()

    server["status"]["availableReplicas"] = pods - 1
    (reason,) = update(scaled(deployed), scaled(wanted)).refusals
    assert f"canary ready: seen {pods - 1} of" in reason
