"""The rules on one resource among all: for each a state that passes and one that does not, with what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.predicates import Resource
from tests.policies.states import (
    V1,
    health_check,
    kubernetes,
    node_pool,
    policy,
    pool,
    ref,
    rewrite,
    route,
    said,
    workload,
)


def the_sentence(name: str, *resources: Resource, external: tuple[str, ...] = ()) -> str:
    """What one policy says, when it is the only one that speaks."""
    found = said(resources, external)
    assert list(found) == [name]
    (sentence,) = found[name]
    return sentence


# --- traffic-protected ------------------------------------------------------------------------------------------------


def test_a_protected_pool_and_route_pass_and_so_does_an_unprotected_pool_without_weight():
    old = pool("old", protect=False)

    assert said([route(ref("chat", 100), ref("old", 0)), pool("chat"), old]) == {}
    assert said([route(ref("chat", 100)), pool("chat"), old]) == {}


def test_an_unprotected_pool_with_weight_is_refused_with_the_backend_that_names_it():
    text = the_sentence("traffic-protected", route(ref("chat", 99), ref("new", 1)), pool("chat"), pool("new", protect=False))

    assert text.startswith(
        "InferencePool default/new is not protected, but it has weight in HTTPRoute default/chat, rules[0].backendRefs[1]: "
    )
    assert text.endswith("set protect=True, and lift it one update before it goes")


def test_servers_and_nodes_are_asked_to_be_protected_in_versions_of_this_package_only():
    loose = [PICKER, workload("chat", "vllm:v1", {"app": "chat"}), node_pool()]

    assert said([route(ref("chat")), pool("chat"), health_check("chat"), *(replace(r, protect=False) for r in loose)]) == {}


def test_a_route_that_gives_pools_no_weight_need_not_be_protected():
    assert said([route({"name": "web", "port": 80, "weight": 100}, ref("chat", 0), protect=False), pool("chat")]) == {}


def test_what_names_no_namespace_is_in_default():
    bare = [route(ref("chat", namespace="default")), pool("chat", protect=False)]
    for resource in bare:
        del resource.inputs["metadata"]["namespace"]

    assert "InferencePool default/chat is not protected" in the_sentence("traffic-protected", *bare)


def test_a_weight_that_is_not_written_counts():
    assert "has weight" in the_sentence("traffic-protected", route(ref("chat")), pool("chat", protect=False))


def test_an_unprotected_route_to_a_pool_is_refused_and_one_to_services_is_not():
    text = the_sentence("traffic-protected", route(ref("chat"), protect=False), pool("chat"))

    assert text.startswith("HTTPRoute default/chat is not protected, but gives weight to InferencePool chat: ")
    assert said([route({"name": "web", "port": 80}, protect=False)]) == {}


def test_a_split_on_a_pool_with_weight_is_protected_and_one_on_an_idle_pool_need_not_be():
    split = rewrite({"modelRewrite": "tone-v1"}, protect=False)
    routed = [route(ref("chat", 100), ref("new", 0)), pool("chat"), pool("new", protect=False)]

    text = the_sentence("traffic-protected", *routed, split)

    assert text.startswith(
        "InferenceModelRewrite default/tone is not protected, but it belongs to InferencePool default/chat, which"
    )
    assert said([*routed, rewrite({"modelRewrite": "tone-v1"}, protect=False, of="new")]) == {}


def test_a_pool_of_the_same_name_elsewhere_is_another_pool():
    elsewhere = kubernetes(f"{V1}/v1", "InferencePool", "chat", namespace="other", protect=False)

    assert said([route(ref("chat")), pool("chat"), elsewhere]) == {}
    assert said([route(ref("chat", namespace="other")), elsewhere]).keys() == {"traffic-protected"}


def annotated(**split: Any) -> dict[str, Any]:
    whole = {"serving": "chat", "stage": "prepare", "weights": {"chat": 100, "new": 0}, **split}
    return {"annotations": {SPLIT_ANNOTATION: json.dumps(whole)}}


def test_what_says_decommission_itself_may_be_unprotected():
    leaving = annotated(decommission=True)

    assert said([route(ref("chat"), protect=False, metadata=leaving), pool("chat", protect=False)]) == {}


def test_a_split_of_an_adapter_that_leaves_may_be_unprotected_on_a_pool_that_stays():
    split = rewrite({"modelRewrite": "tone-v1"}, protect=False)
    split.inputs["metadata"].update(annotated(decommission=True))

    assert said([route(ref("chat")), pool("chat"), split]) == {}


BY_HEADER = {"headers": [{"name": "x-canary", "value": "yes"}]}


def canary_under_test(matches: list[Any], weight: int) -> list[Resource]:
    """A route of ours at `prepare` whose first rule sends matching requests to the canary."""
    labels = {"labels": {"inference-rollouts/version": "new"}}
    canary = kubernetes(f"{V1}/v1", "InferencePool", "new", protect=False, metadata=labels)
    rules = [
        {"matches": matches, "backendRefs": [ref("new", 100)]},
        {"backendRefs": [ref("chat", 100 - weight), ref("new", weight)]},
    ]
    kind = ("gateway.networking.k8s.io/v1", "HTTPRoute", "chat")
    return [kubernetes(*kind, metadata=annotated(), spec={"rules": rules}), pool("chat"), canary]


def test_test_traffic_by_header_is_no_weight_on_a_canary_that_our_split_gives_none():
    assert said(canary_under_test([BY_HEADER], 0)) == {}


def test_a_pool_that_is_no_version_of_the_split_carries_what_a_header_sends_it():
    *rest, canary = canary_under_test([BY_HEADER], 0)
    canary.inputs["metadata"].pop("labels")

    assert said([*rest, canary]).keys() == {"traffic-protected"}


@pytest.mark.parametrize(("matches", "weight"), [([BY_HEADER], 10), ([BY_HEADER, {}], 0), ([{}], 0), ([], 0)])
def test_an_annotation_does_not_hide_weight_that_needs_no_header(matches, weight):
    assert said(canary_under_test(matches, weight)).keys() == {"traffic-protected"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"serving": 1, "stage": 1, "weights": []}', "null"])
def test_an_annotation_that_is_no_split_excuses_nothing(text):
    unprotected = route(ref("chat"), protect=False, metadata={"annotations": {SPLIT_ANNOTATION: text}})
    unprotected.inputs["spec"]["rules"][0]["matches"] = [BY_HEADER]

    assert len(said([unprotected, pool("chat", protect=False)])["traffic-protected"]) == 2


# --- backend-pool -----------------------------------------------------------------------------------------------------


def test_a_backend_passes_when_its_pool_is_in_the_stack_or_declared_as_somebody_elses():
    assert said([route(ref("chat")), pool("chat")]) == {}
    assert said([route(ref("theirs"))], external=["default/theirs"]) == {}
    assert said([route(ref("theirs", namespace="ml"))], external=["ml/theirs"]) == {}


def test_a_backend_that_names_no_pool_is_refused_with_the_nearest_name():
    text = the_sentence("backend-pool", route(ref("caht")), pool("chat"))

    assert text.startswith("HTTPRoute default/chat, rules[0].backendRefs[0]: names default/caht, which is no pool of this stack")
    assert text.endswith("did you mean default/chat?")
    assert "default/caht" in the_sentence("backend-pool", route(ref("caht")), pool("chat"), external=("default/other",))


def test_an_external_pool_counts_in_its_own_namespace_only():
    assert "ml/theirs" in the_sentence("backend-pool", route(ref("theirs", namespace="ml")), external=("default/theirs",))


def test_a_pool_of_the_other_generation_is_another_object():
    legacy = kubernetes("inference.networking.x-k8s.io/v1alpha2", "InferencePool", "chat")

    assert "has group inference.networking.x-k8s.io, not" in the_sentence("backend-pool", route(ref("chat")), legacy)


# --- health-check-policy ----------------------------------------------------------------------------------------------


def test_a_routed_pool_with_a_health_check_policy_passes_and_so_does_one_that_no_route_names():
    assert said([route(ref("chat")), pool("chat"), health_check("chat"), pool("idle")]) == {}


@pytest.mark.parametrize("shows_gke", [policy("GCPBackendPolicy", "chat"), node_pool()], ids=str)
def test_on_gke_a_routed_pool_without_a_health_check_policy_is_refused_at_weight_0_too(shows_gke):
    text = the_sentence(
        "health-check-policy", route(ref("chat", 100), ref("new", 0)), pool("chat"), health_check("chat"), pool("new"), shows_gke
    )

    assert text.startswith("InferencePool default/new has no HealthCheckPolicy, so GKE probes GET /")
    assert text.endswith("group inference.networking.k8s.io, kind InferencePool, name new")


def test_off_gke_no_policies_are_asked_for_and_a_node_pool_alone_shows_gke():
    assert said([route(ref("chat")), pool("chat")]) == {}
    assert said([route(ref("chat")), pool("chat"), node_pool()]).keys() == {"health-check-policy"}


@pytest.mark.parametrize("target", [{"group": ""}, {"group": "inference.networking.x-k8s.io"}, {"name": "other"}], ids=str)
def test_a_health_check_policy_for_another_object_is_none(target):
    stray = health_check("chat")
    stray.inputs["spec"]["targetRef"].update(target)

    assert said([route(ref("chat")), pool("chat"), stray]).keys() == {"health-check-policy"}


# --- one-policy-per-pool ----------------------------------------------------------------------------------------------


def test_a_policy_of_each_kind_on_each_pool_passes():
    state = [pool("a"), pool("b"), health_check("a"), health_check("b"), policy("GCPBackendPolicy", "a")]

    assert said(state) == {}


@pytest.mark.parametrize("kind", ["HealthCheckPolicy", "GCPBackendPolicy"])
def test_a_second_policy_of_a_kind_on_one_pool_is_refused(kind):
    make = health_check if kind == "HealthCheckPolicy" else lambda target, name="": policy(kind, target, name)

    text = the_sentence("one-policy-per-pool", pool("chat"), make("chat"), make("chat", "second"))

    assert text.startswith(f"{kind} default/second is for InferencePool default/chat, and so is {kind} default/chat")


def test_a_list_of_targets_is_read_as_well():
    target = {"group": V1, "kind": "InferencePool", "name": "chat"}
    spec = {"targetRefs": [{"group": "", "kind": "Service", "name": "web"}, target | {"name": "own"}, target]}
    kind = ("networking.gke.io/v1", "GCPTrafficDistributionPolicy")
    one, two = kubernetes(*kind, "one", spec={"targetRefs": [target]}), kubernetes(*kind, "two", spec=spec)

    assert "default/two is for InferencePool default/chat" in the_sentence("one-policy-per-pool", one, two)


# --- pinned-images ----------------------------------------------------------------------------------------------------

PICKER = kubernetes("v1", "Service", "chat-epp", spec={"selector": {"inferencepool": "chat-epp"}})
DIGEST = "vllm/vllm-openai@sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image", ["vllm/vllm-openai:v0.32.0", DIGEST, f"vllm/vllm-openai:latest{DIGEST[16:]}", "host:5000/vllm:1"]
)
def test_a_tag_that_is_not_latest_or_a_digest_is_pinned(image):
    assert said([pool("chat"), workload("chat", image, {"app": "chat"})]) == {}


@pytest.mark.parametrize("image", ["vllm/vllm-openai", "vllm/vllm-openai:latest", "host:5000/vllm", "vllm:", "", None])
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_an_image_of_a_model_server_that_is_not_pinned_is_refused(image, kind):
    text = the_sentence("pinned-images", pool("chat"), workload("chat", image, {"app": "chat", "x": "y"}, kind))

    assert text.startswith(f"{kind} default/chat, container main: {image or 'no image'} is not pinned")
    assert "its pod serves InferencePool default/chat" in text


def test_the_image_of_a_picker_is_judged_through_the_service_that_the_pool_refers_to():
    epp = workload("epp", "epp:latest", {"inferencepool": "chat-epp"})

    assert "is the endpoint picker of InferencePool default/chat" in the_sentence("pinned-images", pool("chat"), PICKER, epp)


def test_the_legacy_pool_selects_by_a_flat_map_and_names_its_picker_elsewhere():
    spec = {"selector": {"app": "chat"}, "extensionRef": {"name": "chat-epp"}}
    legacy = kubernetes("inference.networking.x-k8s.io/v1alpha2", "InferencePool", "chat", spec=spec)
    servers = [workload("chat", "vllm", {"app": "chat"}), workload("epp", "epp", {"inferencepool": "chat-epp"})]

    assert len(said([legacy, PICKER, *servers])["pinned-images"]) == 2


def test_init_containers_and_sidecars_are_judged_each():
    init = [{"name": "sync", "image": "sync"}]
    containers = [{"name": "server", "image": "vllm:v1"}, {"name": "proxy", "image": "proxy:latest"}]
    server = workload("chat", "", {"app": "chat"}, initContainers=init, containers=containers)

    sync, proxy = said([pool("chat"), server])["pinned-images"]

    assert "container sync" in sync
    assert "container proxy" in proxy


@pytest.mark.parametrize(
    "other",
    [
        workload("web", "web:latest", {"app": "web"}),
        workload("web", "web:latest", {}),
        kubernetes("apps/v1", "DaemonSet", "chat", spec=workload("chat", "x", {"app": "chat"}).inputs["spec"]),
        kubernetes("apps/v1", "Deployment", "chat", namespace="ml", spec=workload("chat", "x", {"app": "chat"}).inputs["spec"]),
    ],
    ids=str,
)
def test_images_of_what_no_pool_selects_are_left_alone(other):
    assert said([pool("chat"), PICKER, other]) == {}


@pytest.mark.parametrize("over", [{"name": "web"}, {"namespace": "ml"}], ids=str)
def test_a_service_that_the_pool_does_not_refer_to_is_no_picker(over):
    other = replace(PICKER, inputs={**PICKER.inputs, "metadata": {"name": "chat-epp", "namespace": "default", **over}})

    assert said([pool("chat"), other, workload("web", "web:latest", {"inferencepool": "chat-epp"})]) == {}


def test_a_pool_without_a_picker_has_none():
    bare = kubernetes(f"{V1}/v1", "InferencePool", "chat", spec={"selector": {"matchLabels": {"app": "chat"}}})

    assert said([bare, PICKER, workload("web", "web:latest", {"inferencepool": "chat-epp"})]) == {}


@pytest.mark.parametrize("selector", [{"app": "chat", "tier": "gpu"}, {}, None, "app=chat"], ids=str)
def test_a_selector_selects_what_has_all_of_its_labels_and_without_any_it_selects_nothing(selector):
    picky = kubernetes(f"{V1}/v1", "InferencePool", "chat", spec={"selector": {"matchLabels": selector}})

    assert said([picky, workload("chat", "vllm:latest", {"app": "chat"})]) == {}
