"""What differs between two stages, and what never does."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_rollouts.rehearsal import engine
from inference_rollouts.rehearsal.program import run
from inference_rollouts.rehearsal.recording import Recording, Registration
from inference_rollouts.rehearsal.walk import RolloutOf, StagePreview
from tests.conftest import ROOT
from tests.program.runs import (
    ROLLOUTS,
    STACKS,
    Place,
    every_rollout,
    every_stack,
    kind,
    owner,
    places_of,
    recorded,
    rehearsal_of,
    walked,
    walked_down,
)

ADAPTER_ROLLOUTS = [(stack, rollout) for stack, rollout in ROLLOUTS if rollout.adapter]
POOL_ROLLOUTS = [(stack, rollout) for stack, rollout in ROLLOUTS if not rollout.adapter]


def changed(before: Recording, after: Recording) -> dict[str, Registration]:
    """What is registered otherwise, or in one of the two only."""
    urns = before.resources.keys() | after.resources.keys()
    pairs = {urn: (before.resources.get(urn), after.resources.get(urn)) for urn in urns}
    return {urn: b or a for urn, (a, b) in pairs.items() if a != b and (a or b)}  # pyright: ignore[reportReturnType]


def kinds(registrations: Iterable[Registration]) -> set[str]:
    return {kind(r) for r in registrations}


# --- up and down ------------------------------------------------------------------------------------------------------


@every_rollout
def test_walking_up_and_back_down_registers_the_same_trees(stack, rollout):
    for step, recording in walked_down(stack, rollout).items():
        up = recorded(Place(stack, rollout, step))
        assert recording.resources == up.resources, "the way back is the same config, so the same tree"


@every_rollout
def test_the_way_back_to_prepare_deletes_replaces_and_creates_nothing(stack, rollout):
    prepare = recorded(Place(stack, rollout, "prepare"))
    carriers = {"ConfigMap", "InferenceModelRewrite", "InferenceModel"} if rollout.adapter else {"HTTPRoute"}

    for step in rollout.ladder[2:-1]:
        here = recorded(Place(stack, rollout, step))
        assert here.resources.keys() == prepare.resources.keys(), "nothing comes, and nothing goes"
        moved = [r for r in changed(here, prepare).values() if r.custom and r.inputs != here.resources[r.urn].inputs]
        assert kinds(moved) <= carriers, "a rollback moves weights, and nothing else"


# --- one thing at a time ----------------------------------------------------------------------------------------------


def versions_of(stage: StagePreview, op: str) -> set[str]:
    """Names of the versions that an update makes, or takes away."""
    return {o.name.rpartition(".")[2] for o in stage.preview.operations if o.kind == "ServedVersion" and o.op == op}


@every_rollout
def test_no_update_gives_weight_to_what_it_creates_or_deletes_what_had_weight(stack, rollout):
    stages = walked(stack, rollout)

    for before, after in pairwise(stages):
        assert all(not after.weights.get(version) for version in versions_of(after, "create"))
        assert all(not before.weights.get(version) for version in versions_of(after, "delete"))


@every_rollout
def test_nothing_is_refused_or_replaced_on_the_way_up_and_things_go_at_finish_only(stack, rollout):
    for stage in walked(stack, rollout):
        assert stage.preview.refusals == (), f"{stage.stage}: the ladder itself is always allowed"
        ops = {o.op for o in stage.preview.operations}
        assert "replace" not in ops
        assert ("delete" in ops) == (stage.stage == "finish" and not rollout.adapter and stable_is_ours(stack, rollout))


def stable_is_ours(stack: str, rollout: RolloutOf) -> bool:
    """Whether something of the old version can go: of an external one only the record of it can."""
    return f"{rollout.service}.{rollout.stable}" in {r.name for r in recorded(places_of(stack)[0]).resources.values()}


@pytest.mark.parametrize(("stack", "rollout"), POOL_ROLLOUTS, ids=[f"{s}-{r.service}" for s, r in POOL_ROLLOUTS])
def test_a_weight_moves_without_a_change_to_nodes_servers_or_pools(stack, rollout):
    rungs = [stage for stage in walked(stack, rollout) if isinstance(stage.stage, int)]

    for stage in rungs:
        updated = {o.kind for o in stage.preview.operations if o.op == "update"}
        assert updated == {"ModelService", "WeightedRoute", "HTTPRoute"}
        assert {o.op for o in stage.preview.operations} <= {"update", "same"}


@pytest.mark.parametrize(("stack", "rollout"), POOL_ROLLOUTS, ids=[f"{s}-{r.service}" for s, r in POOL_ROLLOUTS])
def test_preparing_a_canary_changes_nothing_of_stable(stack, rollout):
    (prepare,) = [stage for stage in walked(stack, rollout) if stage.stage == "prepare"]
    stable = [rollout.service, rollout.stable]

    of_stable = [o for o in prepare.preview.operations if o.name.split(".")[:2] == stable]

    assert [o.title for o in of_stable if o.op != "same" or o.diff] == []


@pytest.mark.parametrize(("stack", "rollout"), ADAPTER_ROLLOUTS, ids=[f"{s}-{r.adapter}" for s, r in ADAPTER_ROLLOUTS])
def test_an_adapter_rollout_changes_no_deployment_pool_or_route(stack, rollout):
    first, *later = [Place(stack, rollout, step) for step in rollout.steps]

    for place in later:
        touched = [r for r in changed(recorded(first), recorded(place)).values() if r.custom]
        assert kinds(touched) <= {"ConfigMap", "InferenceModelRewrite", "InferenceModel"}
        lists = [r for r in touched if kind(r) == "ConfigMap"]
        assert all(r.inputs["data"].keys() == {"adapters.json"} for r in lists), "the list alone, not the sidecar's program"


# --- services apart ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["chat", "style"])
def test_a_stage_change_of_one_service_touches_nothing_of_another(service):
    places = [place for place in places_of("several-services") if place.rollout.service == service]

    for before in places:
        for after in places:
            for registration in changed(recorded(before), recorded(after)).values():
                recording = recorded(after) if registration.urn in recorded(after).resources else recorded(before)
                around = owner(registration, recording, "ModelService")
                assert around is not None, f"{registration.name} belongs to all services"
                assert around.name == service


def test_a_stage_change_of_one_adapter_touches_no_other_adapter():
    places = [place for place in places_of("several-services") if place.rollout.adapter == "formal"]

    for place in places[1:]:
        touched = changed(recorded(places[0]), recorded(place)).values()
        assert [r.name for r in touched if "casual" in r.name] == []


def test_two_services_can_move_in_one_update_and_each_is_shown():
    chat = next(r for r in rehearsal_of("several-services").rollouts() if r.service == "chat")
    both = recorded(Place("several-services", chat, 10))
    neither = recorded(Place("several-services", chat, "prepare"))
    moved: list[engine.Preview] = []

    state = engine.state_of(neither)
    config = rehearsal_of("several-services").config
    run(ROOT, "several-services", config, lambda recording: moved.append(engine.preview(state, recording)))

    routes = {o.name for o in moved[0].operations if o.kind == "HTTPRoute" and o.op == "update"}
    assert routes == {"chat"}
    assert both.resources.keys() == neither.resources.keys()


# --- the file ---------------------------------------------------------------------------------------------------------


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same mapping with its keys in another order, all the way down; lists stay."""
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffled(value[key], dice) for key in keys}
    return [shuffled(item, dice) for item in value] if isinstance(value, list) else value


@every_stack
def test_the_order_of_keys_in_the_file_is_irrelevant(stack):
    rollout = rehearsal_of(stack).rollouts()[0]
    dice = random.Random(4711)

    other = run(ROOT, stack, shuffled(dict(rehearsal_of(stack).config), dice))

    assert other.resources == recorded(Place(stack, rollout, rollout.stage)).resources


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), stack=st.sampled_from(["several-services", "server-options", "adapter-names"]))
def test_no_order_of_keys_changes_the_plan(seed, stack):
    from inference_rollouts.plan import plan_for
    from inference_rollouts.rehearsal.walk import own_keys
    from inference_rollouts.settings import load

    config = own_keys(rehearsal_of(stack).config)

    def registered(mapping: dict[str, Any]) -> list[Any]:
        return [(service.record.to_wire(), service.route, service.versions) for service in plan_for(load(mapping)).services]

    assert registered(shuffled(config, random.Random(seed))) == registered(config)


def test_every_stack_of_the_tests_has_a_rollout():
    assert {stack for stack, _ in ROLLOUTS} == set(STACKS), "a stack without one would be walked by nobody"
