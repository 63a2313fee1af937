"""The manifests of the page, corrected, are what the examples register at stage 10.

The page (how-to/rollout-operations of GKE) has four errors: backticks around a kind, `rules` as a map, pools without their
group (which means a core Service, and 500s), and an InferenceModel of a form that no CRD ever had.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.program.runs import kind, manifests, places_of, recorded

ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: routes-to-llm, namespace: default }}
spec:
  parentRefs:
  - {{ group: gateway.networking.k8s.io, kind: Gateway, name: my-inference-gateway }}
  rules:
  - matches: [{{ path: {{ type: PathPrefix, value: / }} }}]
    backendRefs:
    - {{ group: inference.networking.k8s.io, kind: InferencePool, name: {stable}, weight: 90 }}
    - {{ group: inference.networking.k8s.io, kind: InferencePool, name: {canary}, weight: 10 }}
"""

REWRITE = """
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferenceModelRewrite
metadata: { name: llm-pool-llm, namespace: default }
spec:
  poolRef: { group: inference.networking.k8s.io, kind: InferencePool, name: llm-pool }
  rules:
  - matches: [{ model: { type: Exact, value: llm } }]
    targets:
    - { modelRewrite: llm-v1, weight: 90 }
    - { modelRewrite: llm-v2, weight: 10 }
"""

MODEL = """
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferenceModel
metadata: { name: llm-pool-llm, namespace: default }
spec:
  modelName: llm
  criticality: Critical
  poolRef: { group: inference.networking.x-k8s.io, kind: InferencePool, name: llm-pool }
  targetModels:
  - { name: llm-v1, weight: 90 }
  - { name: llm-v2, weight: 10 }
"""


def registered(stack: str, name: str, step: Any = 10) -> dict[str, Any]:
    """The object of a kind and name, without the labels and annotations that the page does not have."""
    (place,) = [place for place in places_of(stack) if place.step == step]
    wanted = tuple(name.split())
    (found,) = [m for m in manifests(recorded(place)) if (m["kind"], m["metadata"]["name"]) == wanted]
    meta = {key: found["metadata"][key] for key in ("name", "namespace")}
    return {**found, "metadata": meta}


@pytest.mark.parametrize(
    ("stack", "stable", "canary"), [("node-update", "llm", "llm-new"), ("base-model", "llm-pool", "llm-pool-version-2")]
)
def test_the_route_at_stage_10_is_the_pages_corrected(stack, stable, canary):
    assert registered(stack, "HTTPRoute routes-to-llm") == yaml.safe_load(ROUTE.format(stable=stable, canary=canary))


def test_the_adapter_split_at_stage_10_is_the_pages_as_a_rewrite():
    assert registered("lora-adapter", "InferenceModelRewrite llm-pool-llm") == yaml.safe_load(REWRITE)


def test_the_adapter_split_at_stage_10_is_the_pages_in_its_own_generation():
    assert registered("v1alpha2", "InferenceModel llm-pool-llm") == yaml.safe_load(MODEL)


def test_an_adapter_rollout_leaves_the_route_with_all_traffic_on_the_one_pool():
    (rule,) = registered("lora-adapter", "HTTPRoute routes-to-llm")["spec"]["rules"]

    assert rule["backendRefs"] == [
        {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "llm-pool", "weight": 100}
    ]


def test_critical_becomes_an_objective_for_the_one_pool():
    objective = registered("lora-adapter", "InferenceObjective llm-pool-llm")

    assert objective["spec"] == {
        "priority": 10,
        "poolRef": {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "llm-pool"},
    }


def test_every_model_name_has_an_inference_model_where_the_legacy_picker_would_shed_it():
    (place,) = [place for place in places_of("v1alpha2") if place.step == 10]
    names = [m["spec"]["modelName"] for m in manifests(recorded(place)) if m["kind"] == "InferenceModel"]

    assert sorted(names) == ["llama-3.1-8b", "llm"]


@pytest.mark.parametrize(("stack", "model"), [("node-update", "llm"), ("base-model", "llm")])
def test_both_versions_answer_to_the_name_that_clients_use(stack, model):
    (place,) = [place for place in places_of(stack) if place.step == 10]
    servers = [r for r in recorded(place).resources.values() if kind(r) == "Deployment" and r.name.endswith(".server")]
    assert len(servers) == 2

    for server in servers:
        (container,) = server.inputs["spec"]["template"]["spec"]["containers"]
        at = container["args"].index("--served-model-name")
        assert container["args"][at + 1] == model
