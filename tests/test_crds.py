"""Which CRDs a stack needs, and what a cluster's list of CRDs lacks: decided on plain values, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from inference_rollouts.crds import Api, Need, missing, needs, notes

X_K8S = "inference.networking.x-k8s.io"
REWRITES = f"inferencemodelrewrites.{X_K8S}"


def need(
    api: Api = "v1", *, gke: bool = True, adapters: bool = True, criticality: bool = True, creates_gateway: bool = True
) -> tuple[Need, ...]:
    return needs(api, gke=gke, adapters=adapters, criticality=criticality, creates_gateway=creates_gateway)


def crd(name: str, *versions: str, served: bool = True, rule: tuple[str, ...] = ("matches", "targets")) -> dict[str, Any]:
    """A CRD as `kubectl get crd -o json` prints it, with what of the schema tells the releases apart."""
    plural, _, group = name.partition(".")
    rules = {"items": {"properties": {field: {} for field in rule}}}
    schema = {"properties": {"spec": {"properties": {"rules": rules}}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "names": {"plural": plural},
            "versions": [{"name": v, "served": served, "schema": {"openAPIV3Schema": schema}} for v in versions],
        },
    }


def cluster(api: Api = "v1") -> list[dict[str, Any]]:
    """All that a stack with everything needs."""
    return [crd(one.name, one.version) for one in need(api)]


def test_a_stack_with_everything_needs_the_kinds_it_writes_in_their_versions() -> None:
    assert [f"{one.name} {one.version}" for one in need()] == [
        "gateways.gateway.networking.k8s.io v1",
        "httproutes.gateway.networking.k8s.io v1",
        "inferencepools.inference.networking.k8s.io v1",
        f"{REWRITES} v1alpha2",
        f"inferenceobjectives.{X_K8S} v1alpha2",
        "healthcheckpolicies.networking.gke.io v1",
        "gcpbackendpolicies.networking.gke.io v1",
        "podmonitorings.monitoring.googleapis.com v1",
    ]


def test_the_least_stack_needs_the_route_and_the_pool_only() -> None:
    least = need(gke=False, adapters=False, criticality=False, creates_gateway=False)

    assert [str(one) for one in least] == [
        "HTTPRoute (gateway.networking.k8s.io/v1)",
        "InferencePool (inference.networking.k8s.io/v1)",
    ]


def test_under_llm_d_models_are_of_its_group_and_pools_are_not() -> None:
    groups = {one.kind: one.group for one in need("llm-d")}

    assert groups["InferenceModelRewrite"] == groups["InferenceObjective"] == "llm-d.ai"
    assert groups["InferencePool"] == "inference.networking.k8s.io"


@pytest.mark.parametrize("both", [True, False])
def test_under_v1alpha2_every_model_name_is_an_inference_model(both: bool) -> None:
    found = need("v1alpha2", adapters=both, criticality=both, gke=False, creates_gateway=False)

    assert [one.name for one in found[1:]] == [f"inferencepools.{X_K8S}", f"inferencemodels.{X_K8S}"]


def test_who_installs_a_crd_depends_on_gke() -> None:
    by = {one.kind: one.installed_by for one in need()}
    elsewhere = {one.kind: one.installed_by for one in need(gke=False)}

    assert by["HTTPRoute"] == by["HealthCheckPolicy"] == "GKE, on a cluster with --gateway-api=standard"
    assert "1.34.0-gke.1626000" in by["InferencePool"]
    assert "GKE" not in " ".join(elsewhere.values())
    assert all(one.scope == "Namespaced" for one in need())


@pytest.mark.parametrize("api", ["v1", "llm-d", "v1alpha2"])
def test_a_cluster_that_has_all_lacks_nothing(api: Api) -> None:
    assert missing(need(api), cluster(api)) == []
    assert notes(need(api), cluster(api)) == []


def test_the_list_that_kubectl_prints_is_read_like_its_items() -> None:
    printed = {"apiVersion": "v1", "kind": "List", "items": cluster()}

    assert missing(need(), [printed]) == []


def test_an_absent_crd_is_named_with_its_reason_and_who_installs_it() -> None:
    rest = [one for one in cluster() if one["metadata"]["name"] != "healthcheckpolicies.networking.gke.io"]

    assert missing(need(), rest) == [
        "healthcheckpolicies.networking.gke.io is not installed. Needed because without it the load balancer probes "
        "`/`, which model servers answer with 404; installed by GKE, on a cluster with --gateway-api=standard."
    ]


@pytest.mark.parametrize(
    ("old", "serves"),
    [
        (crd("inferencepools.inference.networking.k8s.io", "v1beta1", "v1beta2"), "v1beta1, v1beta2"),
        (crd("inferencepools.inference.networking.k8s.io", "v1", served=False), "no version"),
    ],
)
def test_a_crd_that_does_not_serve_the_version_says_what_it_serves(old: dict[str, Any], serves: str) -> None:
    (sentence,) = missing(need(), [*cluster(), old])

    assert sentence.startswith(f"inferencepools.inference.networking.k8s.io is installed but serves {serves}, not v1. ")


def test_the_pool_of_the_other_api_does_not_count() -> None:
    sentences = missing(need("v1", gke=False, creates_gateway=False), cluster("v1alpha2"))

    assert [sentence.split(" ")[0] for sentence in sentences] == [
        "inferencepools.inference.networking.k8s.io",
        REWRITES,
        f"inferenceobjectives.{X_K8S}",
    ]


def test_a_rewrite_crd_with_split_is_too_old() -> None:
    old = crd(REWRITES, "v1alpha2", rule=("matches", "split"))

    (sentence,) = missing(need(), [*cluster(), old])

    assert sentence.startswith(f"{REWRITES} is the one of GIE v1.2: its rules have `split`, not `targets`")


def test_a_rewrite_in_both_groups_is_noted_and_not_missing() -> None:
    both = [*cluster(), crd("inferencemodelrewrites.llm-d.ai", "v1alpha2")]

    assert missing(need(), both) == []
    (note,) = notes(need(), both)
    assert note.startswith("InferenceModelRewrite is installed in the groups inference.networking.x-k8s.io and llm-d.ai.")
    assert notes(need("llm-d"), [*both, *cluster("llm-d")]) == []


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "List"},
        {"kind": "List", "items": [None, 3]},
        {"kind": "Pod"},
        {"kind": "CustomResourceDefinition", "spec": None},
        {"kind": "CustomResourceDefinition", "spec": {"names": [], "versions": {"v1": {}}}},
        {"kind": "CustomResourceDefinition", "spec": {"group": "networking.gke.io", "names": {"plural": "x"}}},
    ],
    ids=str,
)
def test_documents_of_another_shape_are_no_crds(document: dict[str, Any]) -> None:
    assert len(missing(need(), [document])) == len(need())
