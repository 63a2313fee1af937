"""The conditions of a raise and of `retire`, as the guard asks them in `up`: least times, and a probe that has passed."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts import probed
from inference_rollouts.plan import plan_for
from inference_rollouts.record import Record
from inference_rollouts.rehearsal.program import run
from inference_rollouts.settings import load
from tests.components.live_cluster import STACK, config, registered, update, written
from tests.conftest import ROOT
from tests.observe.world import pod, sidecar

KEPT = [({"keep": "1h"}, 600, "keep: seen 10m"), ({"settle": "2m"}, 90, "settle: seen 1m"), ({}, 30, "settle: seen 3")]


@pytest.mark.parametrize(("keys", "stood", "seen"), KEPT)
def test_stable_is_not_retired_before_it_was_kept_long_enough(cluster, keys, stood, seen):
    old, new = config(STACK, 100, **keys), config(STACK, "retire", **keys)
    route = registered(cluster, old)
    assert update(old, new).refusals == (), "it has stood at 100 since the 24th of November at noon"

    written(route, stood)
    (reason,) = update(old, new).refusals

    assert reason.startswith(f"service llm: stable is not retired: {seen}"), reason
    assert "wait another" in reason


def test_stable_is_not_retired_while_the_canary_that_has_all_traffic_is_not_ready(cluster):
    registered(cluster, config(STACK, 100))
    cluster.objects["/apis/apps/v1/namespaces/default/deployments/llm-new"]["status"] |= {"availableReplicas": 1}

    (reason,) = update(config(STACK, 100), config(STACK, "retire")).refusals

    assert reason.startswith("service llm: stable is not retired: canary ready: seen 1 of 2 replicas available")


def test_stable_is_not_retired_when_nobody_can_tell_how_long_it_was_kept(cluster):
    route = registered(cluster, config(STACK, 100, keep="1h"))
    del route["metadata"]["managedFields"]

    (reason,) = update(config(STACK, 100, keep="1h"), config(STACK, "retire", keep="1h")).refusals

    assert "keep: seen no time of the last change" in reason


def test_an_override_of_retire_is_not_asked_about(broken_world):
    override = {"from": 100, "to": "retire", "reason": "the old nodes cost too much", "by": "ann"}

    assert update(config(STACK, 100, keep="1h"), config(STACK, "retire", keep="1h", override=override)).refusals == ()


def test_going_back_from_retire_and_down_asks_for_no_least_time(broken_world):
    keys = {"keep": "1h", "bake": "1h", "settle": "1h"}

    assert update(config(STACK, "retire", **keys), config(STACK, 100, **keys)).refusals == ()
    assert update(config(STACK, 100, **keys), config(STACK, "prepare", **keys)).refusals == ()


def test_an_adapter_is_kept_by_its_own_splits(cluster):
    name = "lora-adapter"
    old, new = config(name, 100, keep="1h"), config(name, "retire", keep="1h")
    written(registered(cluster, old), 5)
    cluster.put(pod("a", "llm-pool"))
    cluster.adapters |= {"a": sidecar(llm_v1="loaded", llm_v2="loaded")}
    assert update(old, new).refusals == (), "the route says nothing of an adapter"

    path = "/apis/inference.networking.x-k8s.io/v1alpha2/namespaces/default/inferencemodelrewrites/llm-pool-llm"
    written(cluster.objects[path], 600)
    (reason,) = update(old, new).refusals

    assert reason.startswith("service llm: stable is not retired: keep: seen 10m"), reason


@pytest.mark.parametrize(
    ("keys", "stood", "seen"), [({}, 30, "settle"), ({"settle": "0s"}, 0, ""), ({"bake": "5m"}, 100, "bake")]
)
def test_the_next_raise_waits_until_the_weights_have_settled(cluster, keys, stood, seen):
    old, new = config(STACK, 10, **keys), config(STACK, 25, **keys)
    written(registered(cluster, old), stood)

    reasons = update(old, new).refusals

    assert [f"the weight is not raised: {seen}: seen" in reason for reason in reasons] == ([True] if seen else []), reasons


TESTED = {"test": {"header": "x-canary", "value": "yes", "required": True}}


def evidence(changed: dict[str, Any], **other: Any) -> str:
    """What `rollout probe` writes after it has passed on the canary of a config."""
    (service,) = plan_for(load({k.split(":")[1]: v for k, v in changed.items() if k.startswith("inference-rollouts:")})).services
    passed = {"to": "llm-new", "digest": probed.digest(service.record, "llm-new"), "requests": 40, "by": "ann", "time": "now"}
    return probed.Evidence(**{**passed, **other}).to_json()


@pytest.mark.parametrize(
    ("other", "seen"),
    [
        (None, "probe: seen none on the route"),
        ({"to": "llm-newer"}, "which is another version"),
        ({"digest": "0123456789abcdef"}, "and llm-new has changed since"),
        ({}, ""),
    ],
)
def test_the_first_raise_needs_a_probe_of_this_very_canary_where_one_is_required(cluster, other, seen):
    old, new = config(STACK, "prepare", **TESTED), config(STACK, 1, **TESTED)
    route = registered(cluster, old)
    if other is not None:
        route["metadata"]["annotations"][probed.PROBE_ANNOTATION] = evidence(old, **other)

    reasons = update(old, new).refusals

    assert [seen in reason for reason in reasons] == ([True] if seen else []), reasons
    assert all(reason.startswith("service llm: the weight is not raised: probe: seen") for reason in reasons)
    assert all("run: rollout probe node-update (run up again" in reason for reason in reasons), reasons


def test_the_record_that_went_through_the_state_has_the_digest_that_the_route_carries(cluster):
    old = config(STACK, "prepare", **TESTED)
    route = registered(cluster, old)
    deployed = run(ROOT, STACK, old)
    (inputs,) = (r.inputs for r in deployed.resources.values() if r.type.endswith(":ModelService"))

    assert route["metadata"]["annotations"][probed.CANARY_ANNOTATION] == probed.digest(Record.from_wire(inputs), "llm-new")


def test_without_required_and_beyond_the_first_rung_no_probe_is_asked_for(cluster):
    optional = {"test": {"header": "x-canary", "value": "yes"}}
    registered(cluster, config(STACK, "prepare", **optional))
    assert update(config(STACK, "prepare", **optional), config(STACK, 1, **optional)).refusals == ()

    registered(cluster, config(STACK, 1, **TESTED))
    assert update(config(STACK, 1, **TESTED), config(STACK, 10, **TESTED)).refusals == ()


@pytest.mark.parametrize(
    ("deployed", "wanted", "own"), [("prepare", 1, (False, True)), (1, 10, (True, False)), (100, "retire", (False, False))]
)
def test_a_preview_says_what_will_be_asked(broken_world, monkeypatch, deployed, wanted, own):
    told: list[str] = []
    monkeypatch.setattr("pulumi.log.info", lambda text, *_, **__: told.append(text))
    keys = {**TESTED, "bake": "1h", "keep": "2h", "checks": [{"name": "queue"}]}

    assert update(config(STACK, deployed, **keys), config(STACK, wanted, **keys), dry_run=True).refusals == ()

    (text,) = (text for text in told if "asks the cluster" in text)
    retires = wanted == "retire"
    assert text.startswith(f"service llm: before {'stable is retired' if retires else 'the weight rises'}, pulumi up asks")
    least = "the weights have stood for 2h (keep)" if retires else "the weights have stood for 1h (bake)"
    asked = ["the canary's servers, endpoint picker and pool are ready", least, "metric queue", "rollout probe has passed"]
    # Before the first raise the canary has no traffic by which a metric could judge.
    assert [words in text for words in asked] == [True, True, *own], text
