"""What a preview does not know yet: it counts against the state, and no policy passes over it in silence."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.predicates import UNKNOWN, Resource
from tests.policies.states import (
    BAD,
    health_check,
    kubernetes,
    node_pool,
    pool,
    ref,
    rewrite,
    route,
    said,
    with_input,
    workload,
)


def paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, part in inner for path in [(*at, key), *paths(part, (*at, key))]]


PLACES = [
    (name, index, path)
    for name, state in BAD.items()
    for index, resource in enumerate(state)
    for path in paths(dict(resource.inputs))
]


@pytest.mark.parametrize("name", BAD)
def test_each_of_these_states_is_refused_by_its_own_policy_alone(name):
    assert said(BAD[name]).keys() == {name}


@pytest.mark.parametrize(
    ("name", "index", "path"), PLACES, ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else str(value)
)
def test_no_single_unknown_value_silences_the_policy_that_refuses(name, index, path):
    state = list(BAD[name])
    subject = state[index]
    state[index] = Resource(subject.type, with_input(subject.inputs, path, UNKNOWN), subject.urn, subject.protect, subject.parent)

    assert name in said(state), f"{name} falls silent when {path} of {subject} is not known"


@pytest.mark.parametrize(
    ("name", "resource", "where"),
    [
        ("route-weights", route(ref("chat", UNKNOWN), ref("chat", 10)), "rules[0]: backendRefs[0].weight"),
        ("backend-group", route(ref("chat", group=UNKNOWN)), "backendRefs[0]: group"),
        ("backend-pool", route(ref(UNKNOWN)), "backendRefs[0]: name"),
        ("model-targets", rewrite({"modelRewrite": "a", "weight": UNKNOWN}), "rules[0]: targets[0].weight"),
        ("pinned-images", workload("chat", UNKNOWN, {"app": "chat"}), "container main: image"),
        ("initial-node-count", node_pool(initialNodeCount=1, nodeConfig={"machineType": UNKNOWN}), "nodeConfig.machineType"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_policy_says_which_value_it_would_have_to_know(name, resource, where):
    (sentence,) = said([resource, pool("chat")])[name]

    assert f"{where} is known only after the update, so it cannot be judged now; write it as a plain value" in sentence


def test_an_unknown_rule_does_not_keep_the_others_from_being_judged():
    rules = [UNKNOWN, {"backendRefs": [ref("chat", 0)]}]
    found = said([kubernetes("gateway.networking.k8s.io/v1", "HTTPRoute", "chat", spec={"rules": rules}), pool("chat")])

    assert ["rules[0]" in found["route-weights"][0], "rules[1]" in found["route-weights"][1]] == [True, True]


def test_a_namespace_that_is_not_known_yet_is_taken_for_the_same_one():
    """As in a program that writes the output of its Namespace into every object."""
    state = [route(ref("chat"), namespace=UNKNOWN), pool("chat"), health_check("chat")]
    state[1:] = [Resource(r.type, with_input(r.inputs, ("metadata", "namespace"), UNKNOWN), r.urn, True) for r in state[1:]]

    assert said(state) == {}
