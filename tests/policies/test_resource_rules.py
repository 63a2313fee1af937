"""The rules on one resource: for each a state that passes and one that does not, with what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.predicates import MAX_BACKEND_WEIGHT, Resource
from policies.rules import ON_RESOURCE
from tests.policies.states import health_check, kubernetes, model, node_pool, policy, ref, rewrite, route


def sentences(name: str, resource: Resource) -> list[str]:
    (rule,) = [rule for rule in ON_RESOURCE if rule.name == name]
    return list(rule.judge(resource))


def the_sentence(name: str, resource: Resource) -> str:
    (sentence,) = sentences(name, resource)
    return sentence


# --- route-weights ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refs",
    [
        [ref("a", 90), ref("b", 10)],
        [ref("a", 100), ref("b", 0)],
        [ref("a", 90.0), ref("b", 10.0)],  # as numbers come out of Pulumi's state
        [ref("a", 99), ref("b")],  # one that is not written counts as 1
        [ref("a")],  # a single backend is no split: its share is all of it, whatever the number
        [ref("a", MAX_BACKEND_WEIGHT)],
        [{"name": "a", "port": 80}, {"name": "b", "port": 80, "weight": 3}],  # Services are not ours to judge
        [],
    ],
    ids=str,
)
def test_weights_that_add_up_to_100_pass_and_so_does_what_is_no_split_between_pools(refs):
    assert sentences("route-weights", route(*refs)) == []


@pytest.mark.parametrize(
    ("refs", "words"),
    [
        ([ref("a", 90), ref("b", 5)], "90 + 5 = 95, not 100"),
        ([ref("a"), ref("b")], "1 + 1 = 2, not 100"),
        ([ref("a", 50), ref("b", 49), {"name": "c", "port": 80, "weight": 2}], "50 + 49 + 2 = 101, not 100"),
        ([ref("a", 0), ref("b", 0)], "all weights are 0"),
        ([ref("a", 0)], "all weights are 0"),
        ([ref("a", 110), ref("b", -10)], "-10 is no weight"),
        ([ref("a", MAX_BACKEND_WEIGHT + 1)], "1001 is no weight"),
        ([ref("a", 99.5), ref("b", 0.5)], "99.5, 0.5 is no weight"),
        ([ref("a", "90"), ref("b", 10)], "90 is no weight"),
        ([ref("a", True), ref("b", 99)], "1 is no weight"),
    ],
    ids=str,
)
def test_weights_that_are_no_percentages_are_refused_with_the_numbers(refs, words):
    said = the_sentence("route-weights", route(*refs))

    assert said.startswith("HTTPRoute default/chat, rules[0]: ")
    assert words in said


def test_every_rule_of_a_route_is_judged_and_named():
    spec = {"rules": [{"backendRefs": [ref("a", 1), ref("b", 1)]}, {"backendRefs": [ref("a", 0)]}]}

    first, second = sentences("route-weights", kubernetes("gateway.networking.k8s.io/v1", "HTTPRoute", "chat", spec=spec))

    assert "rules[0]" in first
    assert "rules[1]" in second


def test_a_resource_that_patches_a_route_is_judged_as_one():
    patch = Resource("kubernetes:gateway.networking.k8s.io/v1:HTTPRoutePatch", route(ref("a", 0)).inputs)

    assert "all weights are 0" in the_sentence("route-weights", patch)


# --- model-targets ----------------------------------------------------------------------------------------------------


def target(weight: Any = None) -> dict[str, Any]:
    return {"modelRewrite": "tone-v1"} | ({} if weight is None else {"weight": weight})


@pytest.mark.parametrize("targets", [[target(90), target(10)], [target(), target()], [target(1)], [target()]], ids=str)
def test_targets_pass_when_all_or_none_have_weights(targets):
    assert sentences("model-targets", rewrite(*targets)) == []
    assert sentences("model-targets", model(targets)) == []


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([target(90), target()], "1 of 2 {key} have no weight and so are never chosen"),
        ([target(100), target(0)], "0 is no weight of a target, which starts at 1"),
        ([target(-1)], "-1 is no weight of a target"),
        ([target(1_000_001)], "is no weight of a target"),
        ([], "has no {key}"),
    ],
    ids=str,
)
def test_targets_that_would_be_dropped_or_rejected_are_refused(targets, words):
    assert words.format(key="targets") in the_sentence("model-targets", rewrite(*targets))
    assert words.format(key="targetModels") in the_sentence("model-targets", model(targets))


def test_a_rewrite_must_name_targets_but_an_inference_model_stands_for_itself():
    bare = kubernetes("llm-d.ai/v1alpha2", "InferenceModelRewrite", "tone", spec={"rules": [{"split": [target(1)]}]})

    assert "has no targets" in the_sentence("model-targets", bare)
    assert sentences("model-targets", model(None)) == []


# --- backend-group ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["inference.networking.k8s.io", "inference.networking.x-k8s.io"])
def test_a_backend_with_the_group_of_either_generation_passes(group):
    assert sentences("backend-group", route(ref("a", group=group))) == []


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ({"kind": "InferencePool", "name": "a"}, "InferencePool a carries no group, which means a core kind"),
        ({"kind": "InferencePool", "name": "a", "group": ""}, "carries no group"),  # as the API server fills it in
        (ref("a", group="inference.networking.k8s.oi"), "has group inference.networking.k8s.oi"),
        ({"group": "inference.networking.k8s.io", "name": "a"}, "carries no kind, which means Service"),
        (ref("a", kind="InferencePools"), "has kind InferencePools"),
    ],
    ids=str,
)
def test_a_backend_that_only_looks_like_a_pool_is_refused(backend, words):
    said = the_sentence("backend-group", route(ref("b"), backend))

    assert said.startswith("HTTPRoute default/chat, rules[0].backendRefs[1]: ")
    assert words in said
    assert "; write " in said


def test_a_backend_that_is_a_service_needs_no_group():
    assert sentences("backend-group", route({"name": "a", "port": 80}, {"kind": "Service", "group": "", "name": "b"})) == []


# --- health-check-port ------------------------------------------------------------------------------------------------


def check(**fields: Any) -> Resource:
    return policy("HealthCheckPolicy", "chat", config={"type": "HTTP", "httpHealthCheck": fields})


def test_a_health_check_with_a_fixed_port_passes_and_so_does_one_of_a_service():
    of_service = kubernetes(
        "networking.gke.io/v1", "HealthCheckPolicy", "web", spec={"targetRef": {"group": "", "kind": "Service", "name": "web"}}
    )

    assert sentences("health-check-port", health_check("chat")) == []
    assert sentences("health-check-port", of_service) == []


@pytest.mark.parametrize(
    "fields", [{"port": 8000}, {"portSpecification": "USE_FIXED_PORT"}, {"portSpecification": "USE_SERVING_PORT"}, {}], ids=str
)
def test_a_health_check_of_a_pool_without_a_fixed_port_is_refused(fields):
    said = the_sentence("health-check-port", check(**fields))

    assert said.startswith("HealthCheckPolicy default/chat has no fixed port in its httpHealthCheck")
    assert said.endswith("write portSpecification: USE_FIXED_PORT and the port there")


def test_a_health_check_policy_of_a_pool_without_any_check_is_refused():
    assert "in its config" in the_sentence("health-check-port", policy("HealthCheckPolicy", "chat", checkIntervalSec=5))


# --- session-affinity -------------------------------------------------------------------------------------------------


def test_a_backend_policy_passes_without_session_affinity_and_of_a_service_with_it():
    of_service = kubernetes(
        "networking.gke.io/v1",
        "GCPBackendPolicy",
        "web",
        spec={
            "targetRef": {"group": "", "kind": "Service", "name": "web"},
            "default": {"sessionAffinity": {"type": "CLIENT_IP"}},
        },
    )

    assert sentences("session-affinity", policy("GCPBackendPolicy", "chat", timeoutSec=300)) == []
    assert sentences("session-affinity", of_service) == []


def test_session_affinity_on_a_pool_is_refused():
    said = the_sentence("session-affinity", policy("GCPBackendPolicy", "chat", sessionAffinity={"type": "CLIENT_IP"}))

    assert said.startswith("GCPBackendPolicy default/chat sets sessionAffinity, which GKE refuses")


# --- initial-node-count -----------------------------------------------------------------------------------------------

L4 = {"guestAccelerators": [{"type": "nvidia-l4", "count": 1}], "machineType": "g2-standard-12"}


@pytest.mark.parametrize(
    "inputs",
    [
        {"nodeConfig": L4},
        {"nodeConfig": {"machineType": "e2-standard-4"}, "initialNodeCount": 1},
        {"nodeConfig": {"machineType": "n1-standard-4", "guestAccelerators": []}, "initialNodeCount": 1},
        {"nodeConfig": {"guestAccelerators": [{"type": "nvidia-l4", "count": 0}]}, "initialNodeCount": 1},
        {"initialNodeCount": 1},
    ],
    ids=str,
)
def test_a_node_pool_passes_without_initial_node_count_or_without_accelerators(inputs):
    assert sentences("initial-node-count", node_pool(**inputs)) == []


def test_a_cluster_needs_its_initial_node_count():
    cluster = Resource("gcp:container/cluster:Cluster", {"nodeConfig": L4, "initialNodeCount": 1})

    assert sentences("initial-node-count", cluster) == []


@pytest.mark.parametrize(
    "nodes",
    [
        L4,
        {"machineType": "n1-standard-4", "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}]},
        {"machineType": "ct6e-standard-4t"},
        {"machineType": "tpu7x-standard-4t"},
        {"machineType": "a3-highgpu-8g"},  # carries GPUs whether they are written or not
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [0, 1])
def test_initial_node_count_on_accelerators_is_refused(nodes, count):
    said = the_sentence("initial-node-count", node_pool(nodeConfig=nodes, initialNodeCount=count))

    assert said.startswith("NodePool nodes has accelerators and sets initialNodeCount")


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ON_RESOURCE, ids=lambda rule: rule.name)
@pytest.mark.parametrize("junk", [None, 0, "text", [], [None], {"x": 1}, [["y"]]], ids=str)
@pytest.mark.parametrize("key", ["metadata", "spec", "nodeConfig", "initialNodeCount"])
def test_a_state_of_another_shape_is_no_traceback(rule, junk, key):
    kinds = [route(ref("a", 1)), rewrite(target()), model([]), check(), policy("GCPBackendPolicy", "a"), node_pool()]
    for resource in kinds:
        list(rule.judge(Resource(resource.type, {**resource.inputs, key: junk})))
