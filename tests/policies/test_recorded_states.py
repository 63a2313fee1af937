"""The states that our own program registers: all pass, and whatever one takes away from them, the right policy speaks."""

from __future__ import annotations

import copy

import pytest

from inference_rollouts.rehearsal.program import run
from inference_rollouts.settings import PROJECT
from tests.conftest import EXAMPLES, ROOT, example
from tests.policies.states import EXTERNAL, PLACES, as_judged, health_check, recorded, replaced, said, with_input

MIDDLE = [("node-update", 0, 10), ("base-model", 0, 10), ("lora-adapter", 0, 10)]
"""Each example in the middle of its rollout."""


@pytest.mark.parametrize(("stack", "index", "step"), PLACES)
def test_every_stage_of_every_example_and_fixture_passes_all_policies(stack, index, step):
    assert said(recorded(stack, index, step), EXTERNAL.get(stack, ())) == {}


@pytest.mark.parametrize("stack", EXAMPLES)
def test_a_service_that_is_to_be_taken_away_passes_unprotected(stack):
    config = example(stack)
    service = config[f"{PROJECT}:services"]["llm"]
    service["decommission"] = True
    for block in (service, *service.get("adapters", {}).values()):
        block.pop("rollout", None)

    state = as_judged(run(ROOT, stack, config))

    assert not any(r.protect for r in state if r.type.endswith((":HTTPRoute", ":InferencePool", ":NodePool")))
    assert said(state) == {}


def test_a_pool_of_somebody_elses_has_to_be_declared():
    assert said(recorded("external", 0, 10)).keys() == {"backend-pool"}


def test_the_program_run_as_in_an_update_passes_as_in_a_preview():
    for stack, index, step in MIDDLE:
        assert said(recorded(stack, index, step, preview=False)) == {}


# --- one resource less ------------------------------------------------------------------------------------------------

SPEAKS_WITHOUT = {"InferencePool": {"backend-pool"}, "HealthCheckPolicy": {"health-check-policy"}}
"""By kind; without any other resource the state still shows nothing wrong: what is deleted is the guard's."""


@pytest.mark.parametrize(("stack", "index", "step"), MIDDLE)
def test_a_pool_or_health_check_policy_that_is_missing_is_missed_and_nothing_else_is(stack, index, step):
    state = recorded(stack, index, step)
    for gone in state:
        spoken = said(r for r in state if r is not gone).keys()
        # A component and the object it is named after share their last part.
        wanted = SPEAKS_WITHOUT.get(gone.sort[1], set()) if gone.type.startswith("kubernetes:") else set()

        assert spoken == wanted, f"without {gone.urn}"


# --- one protection less ----------------------------------------------------------------------------------------------

CARRIES = {"HTTPRoute", "InferencePool", "InferenceModelRewrite", "InferenceModel", "Deployment", "Service", "NodePool"}


@pytest.mark.parametrize(("stack", "index", "step"), [*MIDDLE, ("v1alpha2", 0, 10), ("llm-d", 0, 20), ("tpu", 0, 50)])
def test_each_part_that_carries_weight_is_missed_when_it_alone_is_unprotected(stack, index, step):
    state = recorded(stack, index, step)
    for bare in state:
        found = said(replaced(state, bare, protect=False))
        component = bare.type.startswith("inference-rollouts:")

        assert found.keys() == ({"traffic-protected"} if bare.sort[1] in CARRIES and not component else set()), bare.urn
        assert all(sentence.startswith(str(bare)) for sentences in found.values() for sentence in sentences)


@pytest.mark.parametrize(("step", "unprotected"), [("prepare", "llm-new"), ("retire", "llm")])
def test_the_version_without_weight_is_unprotected_and_passes(step, unprotected):
    state = recorded("node-update", 0, step)

    assert {
        r.inputs["metadata"]["name"] for r in state if r.sort[1] == "InferencePool" and "spec" in r.inputs and not r.protect
    } == {unprotected}
    assert said(state) == {}


# --- one field less ---------------------------------------------------------------------------------------------------

REFS = ("spec", "rules", 0, "backendRefs")
CHECK = ("spec", "default", "config", "httpHealthCheck")
CONTAINER = ("spec", "template", "spec", "containers", 0, "image")

FIELDS = [
    ("HTTPRoute", (*REFS, 0, "weight"), None, "route-weights"),
    ("HTTPRoute", (*REFS, 1, "weight"), None, "route-weights"),
    ("HTTPRoute", (*REFS, 1, "weight"), 11, "route-weights"),
    ("HTTPRoute", (*REFS, 0, "group"), None, "backend-group"),
    ("HTTPRoute", (*REFS, 1, "kind"), None, "backend-group"),
    ("HTTPRoute", (*REFS, 1, "name"), "llm-old", "backend-pool"),
    ("InferenceModelRewrite", ("spec", "rules", 0, "targets", 0, "weight"), None, "model-targets"),
    ("InferenceModelRewrite", ("spec", "rules", 0, "targets", 1, "weight"), 0, "model-targets"),
    ("InferenceModelRewrite", ("spec", "rules", 0, "targets"), None, "model-targets"),
    ("HealthCheckPolicy", (*CHECK, "portSpecification"), None, "health-check-port"),
    ("HealthCheckPolicy", (*CHECK, "port"), None, "health-check-port"),
    ("HealthCheckPolicy", ("spec", "targetRef", "group"), None, "health-check-policy"),
    ("GCPBackendPolicy", ("spec", "default", "sessionAffinity"), {"type": "CLIENT_IP"}, "session-affinity"),
    ("NodePool", ("initialNodeCount",), 1, "initial-node-count"),
    ("Deployment", CONTAINER, "vllm/vllm-openai:latest", "pinned-images"),
    ("Deployment", CONTAINER, "vllm/vllm-openai", "pinned-images"),
]


@pytest.mark.parametrize(("kind", "path", "value", "policy"), FIELDS, ids=str)
def test_one_field_of_one_resource_makes_exactly_its_own_policy_speak(kind, path, value, policy):
    stack = "lora-adapter" if kind == "InferenceModelRewrite" else "node-update"
    state = recorded(stack, 0, 10)
    changed = [r for r in state if r.sort[1] == kind and not r.type.startswith("inference-rollouts:")]
    assert changed
    for resource in changed:
        inputs = with_input(copy.deepcopy(resource.inputs), path, value)

        assert said(replaced(state, resource, inputs=inputs)).keys() == {policy}, resource.urn


def test_a_second_health_check_policy_on_a_pool_makes_exactly_its_own_policy_speak():
    state = [*recorded("node-update", 0, 10), health_check("llm", "by-a-chart")]

    assert said(state).keys() == {"one-policy-per-pool"}


def test_every_policy_is_shown_to_speak_here():
    from policies.rules import ON_RESOURCE, ON_STACK

    shown = {policy for *_, policy in FIELDS} | {"one-policy-per-pool", "traffic-protected"}
    assert shown == {rule.name for rule in (*ON_RESOURCE, *ON_STACK)}
