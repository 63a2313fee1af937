"""Every Kubernetes object of every stack at every stage would be taken by an API server."""

from __future__ import annotations

import json

import pytest

from tests.crd.check import problems_of
from tests.program import builtin_kinds
from tests.program.runs import customs, every_place, every_stack, kind, manifests, of_kind, places_of, recorded


@every_stack
def test_every_custom_resource_is_valid_against_its_crd(stack):
    distinct = {json.dumps(m, sort_keys=True): m for place in places_of(stack) for m in manifests(recorded(place))}
    assert distinct, "a stack that registers nothing would pass unseen"
    unknown = set()

    for manifest in distinct.values():
        problems = problems_of(manifest)
        if problems is None:
            unknown.add(manifest["kind"])
            continue
        assert problems == [], f"{manifest['kind']} {manifest['metadata']['name']} would be rejected"

    assert unknown <= builtin_kinds.CHECKS.keys(), "a kind that neither a CRD nor builtin_kinds knows is checked by nobody"


@every_place
def test_every_object_of_a_built_in_kind_is_well_formed_and_what_it_names_exists(place):
    recording = recorded(place)

    for manifest in manifests(recording):
        check = builtin_kinds.CHECKS.get(manifest["kind"], builtin_kinds.metadata)
        assert list(check(manifest, list(manifests(recording)))) == [], f"{manifest['kind']} {manifest['metadata']['name']}"


@every_place
def test_no_node_pool_has_an_initial_node_count(place):
    for pool in of_kind(recorded(place), "NodePool"):
        assert "initialNodeCount" not in pool.inputs, "it replaces the pool, and drifts with every resize (pulumi-gcp#412)"
        assert "nodeCount" not in pool.inputs, "it contradicts the autoscaler"
        scaling = pool.inputs["autoscaling"]
        assert 0 <= scaling["totalMinNodeCount"] <= scaling["totalMaxNodeCount"]


@every_place
def test_two_resources_never_have_the_same_kind_namespace_and_name(place):
    seen: dict[tuple[str, str | None, str | None], str] = {}
    for registration in customs(recorded(place)):
        meta = registration.inputs.get("metadata") or {"name": registration.inputs.get("name")}
        key = (kind(registration), meta.get("namespace"), meta["name"])
        assert key not in seen, f"{registration.name} and {seen.get(key)} would fight over one object"
        seen[key] = registration.name


def test_a_broken_object_is_found():
    broken = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "Server", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "gone", "mountPath": "/x"}]}]},
            },
        },
    }

    problems = list(builtin_kinds.CHECKS["Deployment"](broken, [broken]))

    assert problems == [
        "metadata.name 'Server' is no DNS name",
        "the selector {'app': 'a'} finds none of its own pods {'app': 'b'}",
        "container c mounts gone, which is no volume",
    ]


@pytest.mark.parametrize("name", builtin_kinds.CHECKS)
def test_every_built_in_check_is_used_by_some_stack(name):
    from tests.program.runs import PLACES

    assert any(of_kind(recorded(place), name) for place in PLACES), "a check of what is never registered proves nothing"
