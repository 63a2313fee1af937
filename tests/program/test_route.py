"""What else the route says: whose it is, what it waits for, the operator's own rules, and the test header."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference_rollouts.rehearsal.walk import Step
from tests.conftest import example
from tests.program.runs import customs, every_place, of_kind, places_of, recorded

DEFAULT_MATCH = [{"path": {"type": "PathPrefix", "value": "/"}}]


def route(stack: str, step: Step) -> dict[str, Any]:
    (place,) = [place for place in places_of(stack) if place.step == step]
    (found,) = of_kind(recorded(place), "HTTPRoute")
    return dict(found.inputs)


@every_place
def test_every_route_has_one_owner_and_is_awaited_at_its_own_generation(place):
    for registration in of_kind(recorded(place), "HTTPRoute"):
        annotations = registration.inputs["metadata"]["annotations"]
        assert annotations["pulumi.com/patchForce"] == "true", "an emergency edit by hand must not block a fall"
        for condition in json.loads(annotations["pulumi.com/waitFor"]):
            assert "@.observedGeneration==$.metadata.generation" in condition, "else the last generation's status would do"


@every_place
def test_objects_that_carry_weights_have_one_owner(place):
    for registration in customs(recorded(place)):
        annotations = registration.inputs.get("metadata", {}).get("annotations", {})
        if "inference-rollouts/split" in annotations:
            assert annotations["pulumi.com/patchForce"] == "true"


@pytest.mark.parametrize(("stack", "reconciled"), [("node-update", True), ("context-only", False)])
def test_only_gke_is_asked_whether_it_has_reconciled(stack, reconciled):
    waits = route(stack, "prepare")["metadata"]["annotations"]["pulumi.com/waitFor"]

    assert ("Reconciled" in waits) is reconciled
    assert ("networking.gke.io/gateway" in waits) is reconciled


def test_every_gateway_of_a_route_is_awaited():
    door = route("door", 10)
    conditions = json.loads(door["metadata"]["annotations"]["pulumi.com/waitFor"])

    assert [ref["name"] for ref in door["spec"]["parentRefs"]] == ["external-gateway", "internal-gateway"]
    for ref in door["spec"]["parentRefs"]:
        about = [condition for condition in conditions if f"@.parentRef.name=='{ref['name']}'" in condition]
        assert len(about) == 3, "Accepted, ResolvedRefs and Reconciled"
        assert all(f"@.parentRef.namespace=='{ref['namespace']}'" in condition for condition in about)


def test_the_operators_own_rules_stay_as_they_are_and_come_first():
    written = example("door")["inference-rollouts:services"]["llm"]["route"]

    for step in (10, "retire"):
        spec = route("door", step)["spec"]
        assert spec["rules"][0] == written["rules"][0]
        assert spec["hostnames"] == written["hostnames"]


def test_matches_are_written_out_with_their_defaults():
    (_, main) = route("door", 10)["spec"]["rules"]

    assert main["matches"] == [
        {"path": {"type": "PathPrefix", "value": "/v1/chat/completions"}},
        {"path": {"type": "Exact", "value": "/v1/models"}, "headers": [{"type": "Exact", "name": "x-team", "value": "search"}]},
    ]


@pytest.mark.parametrize("step", ["prepare", 10, 100, "retire"])
def test_a_test_header_reaches_the_canary_from_prepare_on_whatever_the_weights_are(step):
    pinned, main = route("test-header", step)["spec"]["rules"]

    (match,) = pinned["matches"]
    assert match["headers"] == [{"type": "Exact", "name": "x-canary", "value": "yes"}]
    assert [ref["name"] for ref in pinned["backendRefs"]] == ["llm-new"]
    assert main["matches"] == DEFAULT_MATCH


@pytest.mark.parametrize("step", ["baseline", "finish"])
def test_without_a_canary_there_is_no_rule_for_the_test_header(step):
    (main,) = route("test-header", step)["spec"]["rules"]

    assert "headers" not in main["matches"][0]


def test_a_gateway_of_another_namespace_is_named_with_it():
    (ref,) = route("context-only", "prepare")["spec"]["parentRefs"]

    assert (ref["name"], ref["namespace"]) == ("my-inference-gateway", "gateways")


def test_a_gateway_that_is_made_here_is_protected_and_is_the_one_that_the_route_names():
    (place,) = [place for place in places_of("gateway-create") if place.step == "prepare"]
    (gateway,) = of_kind(recorded(place), "Gateway")

    assert gateway.protect, "everything behind it goes when it goes"
    assert gateway.inputs["spec"]["gatewayClassName"] == "gke-l7-rilb"
    assert gateway.inputs["spec"]["addresses"] == [{"type": "NamedAddress", "value": "inference-address"}]
    (ref,) = route("gateway-create", "prepare")["spec"]["parentRefs"]
    assert ref["name"] == gateway.inputs["metadata"]["name"]
    assert gateway.inputs["metadata"]["namespace"] == route("gateway-create", "prepare")["metadata"]["namespace"]
