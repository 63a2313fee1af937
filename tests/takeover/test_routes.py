"""What an HTTPRoute has that a stack file has not is named, with its place; what it has is read."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.takeover.reading import sentences, service, taken_objects

POOL = "inference.networking.k8s.io"
ROUTE: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "chat", "namespace": "default"},
    "spec": {
        "parentRefs": [{"name": "gw"}],
        "rules": [
            {
                "backendRefs": [
                    {"group": POOL, "kind": "InferencePool", "name": "a", "weight": 90},
                    {"group": POOL, "kind": "InferencePool", "name": "b", "weight": 10},
                ]
            }
        ],
    },
}


def route(**changes: Any) -> dict[str, Any]:
    """The route; `rule` merges into its rule, `refs` replaces its backends, `more` are further rules, `meta` merges."""
    out = copy.deepcopy(ROUTE)
    rule = out["spec"]["rules"][0]
    rule.update(changes.get("rule", {}))
    if "refs" in changes:
        rule["backendRefs"] = changes["refs"]
    out["spec"]["rules"] = [*changes.get("before", []), rule, *changes.get("more", [])]
    out["spec"].update(changes.get("spec", {}))
    out["metadata"].update(changes.get("meta", {}))
    return out


def ref(name: str, weight: Any = None, **over: Any) -> dict[str, Any]:
    whole = {"group": POOL, "kind": "InferencePool", "name": name, "weight": weight, **over}
    return {key: value for key, value in whole.items() if value is not None}


RULE = "spec.rules[0]"
HEADER = {"headers": [{"name": "x-a", "value": "1"}]}
WRITER = {"managedFields": [{"manager": "argo-rollouts", "operation": "Update"}]}
OWNER = {"ownerReferences": [{"kind": "LLMInferenceService", "name": "chat", "controller": True}]}


@pytest.mark.parametrize(
    ("changes", "path", "sentence"),
    [
        ({"rule": {"timeouts": {"request": "5m"}}}, f"{RULE}.timeouts", "the time-out of the backends is longestRequest"),
        (
            {"rule": {"filters": [{"type": "RequestMirror"}]}},
            f"{RULE}.filters",
            "has no place in a stack file, and would be lost",
        ),
        ({"rule": {"name": "main"}}, f"{RULE}.name", "has no place in a stack file, and would be lost"),
        ({"refs": [ref("a", 9), ref("b", 1, port=8000)]}, f"{RULE}.backendRefs[1].port", "would be lost"),
        ({"refs": [ref("a", 9), ref("b", 1, namespace="other")]}, f"{RULE}.backendRefs[1].namespace", "would be lost"),
        ({"refs": [ref("a", 9), {"name": "svc", "port": 80}]}, f"{RULE}.backendRefs[1]", "Service svc shares the weights"),
        ({"refs": [ref("a", 1), ref("b", 1), ref("c", 2)]}, f"{RULE}.backendRefs", "3 pools share the traffic"),
        ({"refs": [ref("a", "90"), ref("b", 10)]}, f"{RULE}.backendRefs[0].weight", "'90' is no weight"),
        ({"refs": [ref("a", 1), ref("b", 2)]}, "spec.rules", "the weights 1/2 are no whole percent"),
        ({"refs": [ref("a", 0)]}, "spec.rules", "the weights 0 are no whole percent"),
        (
            {"refs": [ref("a", 1), ref("b", 1, group="inference.networking.x-k8s.io")]},
            f"{RULE}.backendRefs",
            "two API generations",
        ),
        ({"spec": {"parentRefs": []}}, "spec.parentRefs", "nothing sends requests to this route"),
        ({"more": [{"backendRefs": [{"name": "svc", "port": 80}]}]}, "spec.rules[1].matches", "the same requests as rule 0"),
        ({"more": ["x"]}, "spec.rules[1]", "is no map"),
        ({"before": [{"matches": [HEADER], "backendRefs": ["x"]}]}, "spec.rules[0].backendRefs[0]", "is no map"),
        ({"meta": WRITER}, "metadata.managedFields", "argo-rollouts writes this route"),
        ({"meta": OWNER}, "metadata.ownerReferences", "LLMInferenceService chat owns this route"),
    ],
)
def test_what_a_stack_file_cannot_say_is_named_with_its_place(changes: Any, path: str, sentence: str) -> None:
    found = taken_objects([route(**changes)])
    (said,) = [f for f in found.of("cannot") if f.path == path]

    assert sentence in said.message
    assert said.file == "0.yaml"
    assert not found.whole


def test_further_rules_are_kept_as_they_are() -> None:
    health = {
        "matches": [{"path": {"type": "Exact", "value": "/healthz"}}],
        "backendRefs": [{"name": "svc", "port": 80}],
        "timeouts": {"request": "1s"},
    }
    other = {
        "matches": [{"headers": [{"name": "x-model", "value": "other"}]}],
        "backendRefs": [ref("other", 1)],
    }
    found = taken_objects([route(more=[health, other])])

    assert service(found, "chat")["route"]["rules"] == [health, other]
    assert found.whole
    assert "is kept as it is (route.rules), with its way to other" in sentences(found, "left")[0]


def test_a_rule_that_pins_test_traffic_becomes_the_test_of_the_rollout() -> None:
    pin = {"matches": [{"headers": [{"name": "x-canary", "value": "yes"}]}], "backendRefs": [ref("b", 1)]}
    found = taken_objects([route(before=[pin])])

    assert service(found, "chat")["rollout"]["test"] == {"header": "x-canary", "value": "yes"}
    assert "rules" not in service(found, "chat")["route"]


def test_matches_hostnames_and_parents_are_read() -> None:
    matches = [{"path": {"type": "PathPrefix", "value": "/v1"}, "headers": [{"type": "Exact", "name": "x-a", "value": "1"}]}]
    parents = [{"name": "gw", "namespace": "gateways", "sectionName": "https"}]
    spec = {"hostnames": ["a.example.com"], "parentRefs": parents}
    found = taken_objects([route(rule={"matches": matches}, spec=spec)])

    assert service(found, "chat")["route"] == {
        "name": "chat",
        "hostnames": ["a.example.com"],
        "matches": [{"path": {"value": "/v1"}, "headers": [{"name": "x-a", "value": "1"}]}],
        "parentRefs": parents,
    }
    assert found.config["inference-rollouts:gateway"] == {"name": "gw", "namespace": "gateways"}


@pytest.mark.parametrize(
    ("refs", "rollout"),
    [
        ([ref("a")], None),
        ([ref("a", 7)], None),
        ([ref("a", 100), ref("b", 0)], "prepare"),
        ([ref("a", 1), ref("b", 1)], 50),
        ([ref("a", 0), ref("b", 1)], 100),
        ([ref("a", 970), ref("b", 30)], 3),
        ([ref("a"), ref("b")], 50),
    ],
)
def test_weights_become_the_stage_and_a_rung(refs: Any, rollout: Any) -> None:
    found = service(taken_objects([route(refs=refs)]), "chat").get("rollout")

    assert (found or {}).get("stage") == rollout
    if isinstance(rollout, int):
        assert rollout in (found or {})["steps"]


def test_two_services_with_pools_of_one_name_keep_them_apart() -> None:
    other = route(meta={"name": "chat", "namespace": "other"}, spec={"hostnames": ["b.example.com"]})
    first = route(spec={"hostnames": ["a.example.com"]})
    found = taken_objects([first, other])

    assert found.whole
    assert [s.name for s in found.services] == ["chat", "other-chat"]
    assert [v.name for s in found.services for v in s.versions] == ["a", "b", "other-chat-a", "other-chat-b"]


def test_two_services_that_ask_for_the_same_requests_are_refused_by_the_validation() -> None:
    found = taken_objects([route(), route(meta={"name": "again"})])

    assert any("asks for the same requests as service" in s for s in sentences(found, "cannot"))


def test_a_parent_whose_namespace_is_no_text_is_refused_by_the_validation() -> None:
    found = taken_objects([route(spec={"parentRefs": [{"name": "gw", "namespace": {"a": 1}}]})])

    assert any("route.parentRefs" in f.path for f in found.of("cannot"))


def test_what_a_route_says_beside_its_rules_is_not_lost() -> None:
    found = taken_objects([route(spec={"useDefaultGateways": "All"})])

    assert any("spec.useDefaultGateways: useDefaultGateways of the route has no place" in s for s in sentences(found, "cannot"))


@pytest.mark.parametrize("pools", ["aa", "aaa", "baa"])
def test_a_pool_that_is_listed_twice_is_said(pools: str) -> None:
    found = taken_objects([route(refs=[ref(pool) for pool in pools])])

    assert any("InferencePool a is listed more than once" in s for s in sentences(found, "cannot"))


def test_many_routes_to_one_pool_have_versions_of_their_own() -> None:
    """Version names are unique in a stack, whatever name is free."""
    routes = [route(meta={"name": name}, refs=[ref("p"), ref("p")]) for name in ("a", "b", "c")]
    found = taken_objects(routes)
    names = [version.name for service in found.services for version in service.versions]

    assert len(set(names)) == len(names) == 6


def test_an_object_that_comes_twice_is_read_once() -> None:
    found = taken_objects([route(), route(refs=[ref("c")])])

    assert service(found, "chat")["serving"] == "a"
    assert [f.message for f in found.of("assumed")] == ["comes a second time; the first one is read"]


def test_without_a_cluster_it_is_said_what_is_missing() -> None:
    from inference_rollouts.takeover.stack import Given

    found = taken_objects([route()], Given())

    assert [f.path for f in found.of("cannot")] == ["cluster"]
    assert "give --cluster and --location of a GKE cluster, or --context" in found.of("cannot")[0].message
    assert "inference-rollouts:cluster" not in found.config


def test_a_pool_that_no_route_leads_to_is_left_and_named() -> None:
    pool = {"apiVersion": f"{POOL}/v1", "kind": "InferencePool", "metadata": {"name": "x"}, "spec": {}}
    found = taken_objects([route(), pool])

    assert sentences(found, "left") == [
        "1.yaml:1: InferencePool default/x: no HTTPRoute here leads to it, so no service has it; it is left alone"
    ]
    assert found.whole


def test_policies_of_gke_in_a_cluster_without_its_name_are_pointed_at() -> None:
    from inference_rollouts.takeover.stack import Given

    policy = {"apiVersion": "networking.gke.io/v1", "kind": "HealthCheckPolicy", "metadata": {"name": "a"}, "spec": {}}
    found = taken_objects([route(), policy], Given({"context": "mine"}))

    assert found.whole
    assert "give --cluster and --location" in found.of("assumed")[0].message
