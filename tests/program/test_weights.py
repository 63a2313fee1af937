"""Weights, in whatever object carries them: they add up, none is where the API has no zero, and what has one is safe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_rollouts import naming, stages
from inference_rollouts.rehearsal.recording import Recording, Registration
from tests.program.runs import (
    PLACES,
    Place,
    components,
    customs,
    every_place,
    kind,
    manifests,
    of_kind,
    owner,
    planned,
    recorded,
    walked,
)


def rules(recording: Recording) -> Iterator[list[dict[str, Any]]]:
    """The backendRefs of every rule of every route."""
    for route in of_kind(recording, "HTTPRoute"):
        for rule in route.inputs["spec"]["rules"]:
            yield rule["backendRefs"]


def targets(recording: Recording) -> Iterator[dict[str, int]]:
    """Weight by name as the servers hold it, of every adapter split on every pool."""
    for rewrite in of_kind(recording, "InferenceModelRewrite"):
        for rule in rewrite.inputs["spec"]["rules"]:
            yield {target["modelRewrite"]: target["weight"] for target in rule["targets"]}
    for model in of_kind(recording, "InferenceModel"):
        yield {target["name"]: target["weight"] for target in model.inputs["spec"]["targetModels"]}


@every_place
def test_the_weights_of_every_rule_with_several_backends_add_up_to_100(place):
    for refs in rules(recorded(place)):
        if len(refs) > 1:
            assert sum(ref["weight"] for ref in refs) == 100


@every_place
def test_a_backend_alone_in_its_rule_never_has_weight_0(place):
    for refs in rules(recorded(place)):
        if len(refs) == 1:
            assert refs[0].get("weight", 1) > 0, "a rule whose only backend has weight 0 answers 500"


@every_place
def test_the_weights_of_every_adapter_split_add_up_to_100_and_none_is_0(place):
    for split in targets(recorded(place)):
        assert sum(split.values()) == 100
        assert all(1 <= weight <= 100 for weight in split.values()), "InferenceModelRewrite knows no weight 0"


@every_place
def test_all_weights_in_a_preview_are_whole_numbers_of_what_stands(place):
    (stage,) = [stage for stage in walked(place.stack, place.rollout) if stage.stage == place.step]

    assert sum(stage.weights.values()) == 100
    assert all(isinstance(weight, int) for weight in stage.weights.values())
    if place.step != "finish":
        rollout = place.rollout
        assert stage.weights == stages.weights(place.step, rollout.stable, rollout.canary)


@every_place
def test_the_weights_in_the_route_are_those_of_the_plan_and_of_its_annotation(place):
    by_name = {route.inputs["metadata"]["name"]: route for route in of_kind(recorded(place), "HTTPRoute")}

    for service in planned(place).services:
        route = by_name[service.route.name].inputs
        pools = {version.name: version.pool_name for version in service.versions}
        split = json.loads(route["metadata"]["annotations"][naming.SPLIT_ANNOTATION])
        weights = {pools[version]: weight for version, weight in split["weights"].items()}
        assert {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][-1]["backendRefs"]} == weights
        assert split == json.loads(service.record.pools.to_json())


def version_of(registration: Registration, recording: Recording) -> str | None:
    """The version that a resource belongs to."""
    version = owner(registration, recording, "ServedVersion")
    return version.inputs["version"] if version else None


@every_place
def test_what_carries_weight_is_protected_with_all_its_parts_and_exists(place):
    recording = recorded(place)

    for service in planned(place).services:
        for name, weight in service.record.pools.weights.items():
            (args,) = [version for version in service.versions if version.name == name]
            if not weight or args.external_pool:
                continue
            parts = [r for r in customs(recording) if version_of(r, recording) == name]
            assert {"InferencePool", "Deployment"} <= {kind(part) for part in parts}
            open_to_deletion = [part.name for part in parts if not part.protect]
            assert open_to_deletion == [], f"{name} has {weight} % of the traffic"


@every_place
def test_the_route_and_every_adapter_split_are_protected_wherever_something_serves(place):
    recording = recorded(place)
    guarded_kinds = ("HTTPRoute", "InferenceModelRewrite", "InferenceModel")

    for guarded in [*of_kind(recording, *guarded_kinds), *components(recording, "ModelService")]:
        version = version_of(guarded, recording)
        weight = sum(s.record.pools.weights.get(version or "", 0) for s in planned(place).services)
        if version is None or weight:
            assert guarded.protect, f"{kind(guarded)} {guarded.name}: without it there is no traffic at all"


@every_place
def test_every_adapter_version_that_carries_weight_is_held_by_every_server_that_does(place):
    recording = recorded(place)

    for service in planned(place).services:
        routed = {name for split in service.record.adapters.values() for name, weight in split.weights.items() if weight}
        for version in service.versions:
            if routed and service.record.pools.weights.get(version.name):
                assert routed <= held(version.name, recording), f"{version.name} would answer 404"


def held(version: str, recording: Recording) -> set[str]:
    """The adapters without which a starting pod of a version is not ready."""
    (listed,) = [
        json.loads(r.inputs["data"]["adapters.json"])
        for r in of_kind(recording, "ConfigMap")
        if "adapters.json" in r.inputs["data"] and version_of(r, recording) == version
    ]
    return {adapter["name"] for adapter in listed["adapters"] if adapter["routed"]}


@every_place
def test_every_pool_in_a_route_is_registered_here_or_declared_external(place):
    recording = recorded(place)
    own = {pool.inputs["metadata"]["name"] for pool in of_kind(recording, "InferencePool")}
    external = {v.external_pool for service in planned(place).services for v in service.versions if v.external_pool}

    for refs in rules(recording):
        for ref in refs:
            if ref.get("kind") == "InferencePool":
                assert ref["name"] in own | external
                assert ref["group"].startswith("inference.networking."), "without its group it means a core Service"


def test_a_template_that_neither_serves_nor_is_the_canary_is_not_built():
    (place,) = [p for p in PLACES if str(p) == "node-update-llm-baseline"]

    assert [m["metadata"]["name"] for m in manifests(recorded(place)) if m["kind"] == "InferencePool"] == ["llm"]


@given(steps=st.lists(st.integers(1, 99), unique=True, max_size=12).map(sorted), data=st.data())
def test_whatever_the_steps_the_weights_add_up_and_the_ladder_never_falls(steps, data):
    ladder = stages.ladder([*steps, 100])
    stage = data.draw(st.sampled_from(ladder))

    assert sum(stages.weights(stage, "stable", "canary").values()) == 100
    canary = [stages.canary_weight(rung) for rung in ladder]
    assert canary == sorted(canary), "going up never takes traffic from the canary"


@pytest.mark.parametrize("stack", ["node-update", "lora-adapter"])
def test_a_ladder_of_the_operators_own_steps_registers_its_weights(stack):
    from dataclasses import replace

    from inference_rollouts.rehearsal.program import run
    from inference_rollouts.rehearsal.walk import at
    from tests.conftest import ROOT, example

    config = example(stack)
    service = config["inference-rollouts:services"]["llm"]
    block = service if stack == "node-update" else service["adapters"]["llm"]
    block["rollout"]["steps"] = [3, 33, 100]
    (place,) = [p for p in PLACES if p.stack == stack and p.step == "prepare"]

    recording = run(ROOT, stack, at(config, replace(place.rollout, stage=33), 33))

    weights = [ref["weight"] for refs in rules(recording) for ref in refs] if stack == "node-update" else []
    weights += [weight for split in targets(recording) for weight in split.values()]
    assert weights == [67, 33]


def test_every_place_is_named_once():
    assert len({str(place) for place in PLACES}) == len(PLACES)
    assert all(isinstance(place, Place) for place in PLACES)
