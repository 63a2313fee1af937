"""The engine's model on the real program: what a refusal shows, what protection holds, and a canary that does not start."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from inference_rollouts.rehearsal import engine_rules as rules
from inference_rollouts.rehearsal.engine import Deployed, Preview, held_up_by, preview, state_of
from inference_rollouts.rehearsal.program import run
from inference_rollouts.rehearsal.recording import Recording
from inference_rollouts.rehearsal.walk import Step, at
from tests.conftest import ROOT
from tests.program.runs import Place, customs, kind, of_kind, places_of, recorded, rehearsal_of
from tests.rehearsal.resources import Scripted

SERVICES = "inference-rollouts:services"


def place(stack: str, step: Step) -> Place:
    (found,) = [p for p in places_of(stack) if p.step == step]
    return found


def config_at(stack: str, step: Step) -> dict[str, Any]:
    return at(rehearsal_of(stack).config, place(stack, step).rollout, step)


def update(state: Mapping[str, Deployed], stack: str, config: dict[str, Any]) -> Preview:
    """The preview of a config on a state, asking the real hooks."""
    results: list[Preview] = []
    run(ROOT, stack, config, lambda recording: results.append(preview(state, recording)))
    return results[0]


def unguarded(recording: Recording) -> Recording:
    """The same program with hooks that consent to everything."""
    return Scripted(resources=recording.resources, hooks=recording.hooks)


# --- a refusal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", ["node-update", "base-model"])
def test_a_refused_move_touches_no_child_of_the_service_and_deletes_nothing(stack):
    state = state_of(recorded(place(stack, 10)))

    refused = update(state, stack, config_at(stack, "baseline"))

    assert [f"{o.op} {o.kind}" for o in refused.operations] == ["same ClusterAccess", "same kubernetes", "refuse ModelService"]
    assert refused.operations[-1].cuts
    assert refused.state is state


def test_a_refused_adapter_move_is_refused_at_the_service_before_the_split_is_asked():
    refused = update(state_of(recorded(place("lora-adapter", "prepare"))), "lora-adapter", config_at("lora-adapter", 50))

    assert [o.kind for o in refused.operations if o.op == "refuse"] == ["ModelService"]
    assert all("llm" in reason for reason in refused.refusals)


def test_the_route_and_the_splits_refuse_on_their_own_when_the_service_was_not_asked():
    """As with `--target`, or after an update that failed half-way: the record is new already, the route is not."""
    config = config_at("node-update", 50)
    old = state_of(recorded(place("node-update", "prepare")))
    new = {urn: Deployed(r) for urn, r in recorded(place("node-update", 50)).resources.items()}
    half = {urn: (old if kind(d.registration) in ("HTTPRoute", "WeightedRoute") else new)[urn] for urn, d in new.items()}

    refused = update(half, "node-update", config)

    assert [o.kind for o in refused.operations if o.op == "refuse"] == ["HTTPRoute"]


# --- the ratchet ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deployed", "wanted", "kept"),
    [(50, "finish", "llm"), (10, "baseline", "llm-new"), (100, "finish", "llm"), (50, "baseline", "llm-new")],
)
def test_protection_refuses_to_delete_what_had_weight_even_if_the_guard_were_blind(deployed, wanted, kept):
    state = state_of(recorded(place("node-update", deployed)))

    result = preview(state, unguarded(recorded(place("node-update", wanted))))

    refused = {o.kind for o in result.operations if o.op == "refuse" and o.object in (kept, f"{kept}-epp")}
    assert {"NodePool", "Deployment", "InferencePool"} <= refused
    assert [o.name for o in result.operations if o.op == "delete"] == []


@pytest.mark.parametrize(("deployed", "wanted"), [("retire", "finish"), ("prepare", "baseline")])
def test_what_had_no_weight_for_an_update_may_go(deployed, wanted):
    state = state_of(recorded(place("node-update", deployed)))

    result = update(state, "node-update", config_at("node-update", wanted))

    assert result.refusals == ()
    assert {o.kind for o in result.operations if o.op == "delete"} >= {"NodePool", "Deployment", "InferencePool"}


def test_a_canary_without_weight_may_change_its_machine_and_the_preview_says_that_it_is_deleted_first():
    state = state_of(recorded(place("node-update", "prepare")))
    other = config_at("node-update", "prepare")
    nodes = other[SERVICES]["llm"]["versions"]["llm-new"]["nodes"]
    nodes |= {"accelerator": "nvidia-h100-80gb", "machineType": "a3-highgpu-1g", "spot": True}

    result = update(state, "node-update", other)

    (pool,) = [o for o in result.operations if o.kind == "NodePool" and o.op != "same"]
    assert (pool.op, pool.object, pool.reasons) == ("replace", "llm-new", (rules.DELETED_FIRST,))


def test_nodes_can_be_added_to_what_serves():
    state = state_of(recorded(place("node-update", 50)))
    larger = config_at("node-update", 50)
    larger[SERVICES]["llm"]["versions"]["llm"]["nodes"]["max"] = 9

    result = update(state, "node-update", larger)

    pools = [o for o in result.operations if o.kind == "NodePool" and o.op == "update"]
    assert [(o.object, o.diff) for o in pools if o.object == "llm"] == [("llm", ("autoscaling.totalMaxNodeCount",))]


# --- a canary that does not start -------------------------------------------------------------------------------------


def with_broken_canary(stack: str, step: Step, version: str) -> dict[str, Deployed]:
    """A state in which no Deployment of a version has become ready."""
    recording = recorded(place(stack, step))
    broken = {d.urn for d in of_kind(recording, "Deployment") if f".{version}." in d.name}
    assert broken
    return {urn: Deployed(d.registration, init_errors=urn in broken) for urn, d in state_of(recording).items()}


@pytest.mark.parametrize(("stack", "canary"), [("node-update", "llm-new"), ("base-model", "llm-pool-version-2")])
@pytest.mark.parametrize("here", [1, 10, 50, 100])
def test_a_canary_with_init_errors_does_not_hold_up_the_way_back(stack, canary, here):
    state = with_broken_canary(stack, here, canary)

    result = update(state, stack, config_at(stack, "prepare"))

    assert result.refusals == (), "a rollback is never refused"
    (route,) = [o for o in result.operations if o.kind == "HTTPRoute"]
    assert route.op == "update"
    assert held_up_by(route.urn, recorded(place(stack, "prepare")), state) == set(), "the route waits for nothing broken"
    again = {o.name for o in result.operations if o.op == "update" and o.kind == "Deployment"}
    assert again == {f"llm.{canary}.server", f"llm.{canary}.picker"}, "the engine tries the broken ones again, beside the route"


def test_a_route_that_waited_for_a_server_would_be_held_up():
    """So that the test above can fail."""
    state = with_broken_canary("node-update", 10, "llm-new")
    recording = copy.deepcopy(recorded(place("node-update", "prepare")))
    (route,) = of_kind(recording, "HTTPRoute")
    servers = tuple(d.urn for d in of_kind(recording, "Deployment"))
    object.__setattr__(route, "dependencies", (*route.dependencies, *servers))

    held_up = held_up_by(route.urn, recording, state)

    assert {recording.resources[urn].name for urn in held_up} == {"llm.llm-new.server", "llm.llm-new.picker"}


# --- no guesses -------------------------------------------------------------------------------------------------------


def other_cluster(config: dict[str, Any]) -> None:
    config["inference-rollouts:cluster"]["name"] = "another-cluster"


def other_endpoint(config: dict[str, Any]) -> None:
    config["inference-rollouts:cluster"]["endpoint"] = "private"


def test_another_cluster_is_not_guessed_at():
    wanted = config_at("node-update", 10)
    other_cluster(wanted)

    with pytest.raises(rules.CannotModel, match=r"every object is replaced.*use pulumi preview"):
        update(state_of(recorded(place("node-update", 10))), "node-update", wanted)


def test_another_endpoint_of_the_same_cluster_changes_the_provider_and_nothing_else():
    wanted = config_at("node-update", 10)
    other_endpoint(wanted)

    result = update(state_of(recorded(place("node-update", 10))), "node-update", wanted)

    assert [(o.op, o.kind, o.diff) for o in result.operations if o.op != "same"] == [("update", "kubernetes", ("kubeconfig",))]


def test_a_service_may_be_created_on_any_rung():
    """As when a region is built anew in the middle of a rollout."""
    for step in ("prepare", 10, 100, "retire"):
        result = update({}, "node-update", config_at("node-update", step))
        assert result.refusals == ()
        assert {o.op for o in result.operations} == {"create"}
        assert len(list(customs(recorded(place("node-update", step))))) == sum(1 for o in result.operations if o.object)
