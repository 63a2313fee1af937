"""What a manager applies, out of a live object; the entries are such as a kube-apiserver writes."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.observe.owned import applied_by, applier

PULUMI = "pulumi-kubernetes-0a1b2c3d"


def entry(manager: str, fields: Any, operation: str = "Apply", time: str = "2026-11-24T12:00:00Z", **more: Any) -> Any:
    return {"manager": manager, "operation": operation, "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


def route(*entries: Any, **annotations: str) -> Any:
    return {
        "kind": "HTTPRoute",
        "metadata": {
            "name": "r",
            "labels": {"ours": "1", "theirs": "1"},
            "annotations": {"ours": "1", "theirs": "1", **annotations},
            "managedFields": list(entries),
        },
        "spec": {"hostnames": ["a"], "rules": [{"backendRefs": [{"name": "x", "weight": 1}]}]},
        "status": {"parents": []},
    }


RULES = {"f:spec": {"f:rules": {}}}


def test_only_what_the_manager_applies_is_taken_and_atomic_lists_as_a_whole():
    fields = {"f:metadata": {"f:labels": {"f:ours": {}}}, "f:spec": {".": {}, "f:rules": {}}}
    value = route(entry(PULUMI, fields), entry("kubectl-label", {"f:metadata": {"f:labels": {"f:theirs": {}}}}, "Update"))

    assert applied_by(value, PULUMI) == {"metadata": {"labels": {"ours": "1"}}, "spec": {"rules": value["spec"]["rules"]}}


def test_an_update_in_the_same_name_is_another_managers():
    assert applied_by(route(entry(PULUMI, RULES, "Update")), PULUMI) == {}


def test_the_status_is_no_part_of_it():
    value = route(entry(PULUMI, {"f:status": {"f:parents": {}}}, subresource="status"))

    assert applied_by(value, PULUMI) == {}


def test_a_field_that_is_owned_and_gone_is_left_out():
    assert applied_by(route(entry(PULUMI, {"f:spec": {"f:timeouts": {}}})), PULUMI) == {"spec": {}}


def test_items_of_lists_with_keys_are_taken_by_their_keys_and_sets_by_their_values():
    value = {
        "metadata": {
            "finalizers": ["ours", "theirs"],
            "managedFields": [
                entry(
                    PULUMI,
                    {
                        "f:metadata": {"f:finalizers": {'v:"ours"': {}}},
                        "f:spec": {
                            "f:ports": {'k:{"port":80}': {".": {}, "f:port": {}, "f:name": {}}},
                            "f:first": {"i:0": {}},
                            "f:map": {".": {}},
                        },
                    },
                )
            ],
        },
        "spec": {
            "ports": [{"port": 80, "name": "http", "theirs": 1}, {"port": 443}],
            "first": [1, 2],
            "map": {"theirs": 1},
        },
    }

    assert applied_by(value, PULUMI) == {
        "metadata": {"finalizers": ["ours"]},
        "spec": {"ports": [{"port": 80, "name": "http"}], "first": [1], "map": {}},
    }


def test_entries_of_two_api_versions_are_one():
    one, two = entry(PULUMI, {"f:spec": {"f:hostnames": {}}}), entry(PULUMI, RULES)

    assert applied_by(route(one, two), PULUMI)["spec"].keys() == {"hostnames", "rules"}


@pytest.mark.parametrize(
    ("entries", "manager"),
    [
        ([], None),
        ([entry("kubectl-edit", RULES, "Update")], None),
        ([entry(PULUMI, RULES, "Update")], PULUMI),
        ([entry("argocd", RULES), entry(PULUMI, {"f:metadata": {}})], PULUMI),
        ([entry("argocd", RULES), entry("kubectl-edit", RULES, "Update")], "argocd"),
        ([entry("helm", {"f:metadata": {}})], None),
        (
            [
                entry("pulumi-kubernetes-old", RULES, time="2026-01-01T00:00:00Z"),
                entry(PULUMI, {"f:metadata": {}}),
                entry("pulumi-kubernetes-new", RULES, "Update", time="2027-01-01T00:00:00Z"),
            ],
            PULUMI,
        ),
    ],
)
def test_who_will_apply_it_next(entries, manager):
    assert applier(route(*entries)) == manager


def test_a_manager_that_is_named_on_the_object_wins():
    assert applier(route(entry(PULUMI, RULES), **{"pulumi.com/patchFieldManager": "ours"})) == "ours"
