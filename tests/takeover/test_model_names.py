"""Model names that clients send, and their criticality, are in the stack file or among what it cannot say."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.takeover.reading import rendered_objects, sentences, service, taken_objects

GROUP = "inference.networking.x-k8s.io"
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
ROUTE: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "chat"},
    "spec": {
        "parentRefs": [{"name": "gw"}],
        "rules": [{"backendRefs": [{"group": GROUP, "kind": "InferencePool", "name": "a"}]}],
    },
}
POOL = {
    "apiVersion": f"{GROUP}/v1alpha2",
    "kind": "InferencePool",
    "metadata": {"name": "a"},
    "spec": {"selector": {"app": "vllm"}, "targetPortNumber": 8000, "extensionRef": {"name": "epp"}},
}


def server(*args: str) -> dict[str, Any]:
    container = {"name": "vllm", "image": "vllm/vllm-openai:v0.9.1", "args": ["--model", MODEL, *args]}
    container["resources"] = {"limits": {"nvidia.com/gpu": 1}}
    pod = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "vllm"},
        "spec": {
            "selector": {"matchLabels": {"app": "vllm"}},
            "template": {"metadata": {"labels": {"app": "vllm"}}, "spec": pod},
        },
    }


def model(name: str, **spec: Any) -> dict[str, Any]:
    whole = {"modelName": name, "poolRef": {"name": "a"}, **spec}
    return {"apiVersion": f"{GROUP}/v1alpha2", "kind": "InferenceModel", "metadata": {"name": "food"}, "spec": whole}


def rewrite(rule: Any, name: str = "food") -> dict[str, Any]:
    spec = {"poolRef": {"name": "a"}, "rules": [rule]}
    return {
        "apiVersion": f"{GROUP}/v1alpha2",
        "kind": "InferenceModelRewrite",
        "metadata": {"name": name},
        "spec": spec,
    }


@pytest.mark.parametrize(
    "args",
    [
        ["--enable-lora", "--lora-modules", '{"name": "food-review", "path": "/adapters/f"}'],
        ["--enable-lora", "--lora-modules=food-review=/adapters/f"],
        ["--enable-lora"],
    ],
)
def test_a_name_that_the_servers_hold_as_an_adapter_is_said(args: list[str]) -> None:
    """As a model name the base model would answer to it."""
    found = taken_objects([ROUTE, POOL, server(*args), model("food-review")])
    (said,) = found.of("cannot")

    assert said.object == "InferenceModel default/food"
    assert said.message.startswith(
        f"food-review is a name that clients send, and the servers of a answer as a model to {MODEL} only"
    )
    assert service(found, "chat")["models"] == [MODEL]


def test_a_name_that_the_servers_answer_to_is_a_model_name() -> None:
    found = taken_objects([ROUTE, POOL, server("--served-model-name", MODEL, "food-review"), model("food-review")])

    assert found.whole
    assert service(found, "chat")["models"] == [MODEL, "food-review"]


def test_names_on_a_pool_whose_servers_were_not_read_stand_beside_those_that_were() -> None:
    route = copy.deepcopy(ROUTE)
    route["spec"]["rules"][0]["backendRefs"].append({"group": GROUP, "kind": "InferencePool", "name": "b"})
    found = taken_objects([route, POOL, server(), model("extra", poolRef={"name": "b"})])

    assert found.whole
    assert service(found, "chat")["models"] == [MODEL, "extra"]


@pytest.mark.parametrize(("criticality", "lost"), [("Critical", True), ("Sheddable", True), ("Standard", False), (None, False)])
def test_the_criticality_of_a_model_name_is_said(criticality: str | None, lost: bool) -> None:
    found = taken_objects([ROUTE, POOL, server(), model(MODEL, criticality=criticality)])

    assert [f.path for f in found.of("cannot")] == (["spec.criticality"] if lost else [])


def test_an_adapter_of_the_command_line_that_a_rewrite_leaves_alone_is_no_loss() -> None:
    """The draft keeps the command line, and under v1 no object is needed for a name."""
    group = "inference.networking.k8s.io"
    route, pool = copy.deepcopy(ROUTE), copy.deepcopy(POOL)
    route["spec"]["rules"][0]["backendRefs"][0]["group"] = group
    pool |= {"apiVersion": f"{group}/v1", "spec": {"selector": {"matchLabels": {"app": "vllm"}}}}
    rule = {"matches": [{"model": {"value": "f"}}], "targets": [{"modelRewrite": "f"}]}
    found = taken_objects([route, pool, server("--enable-lora", "--lora-modules", "f=/adapters/f"), rewrite(rule)])

    assert found.whole
    assert "--lora-modules" in service(found, "chat")["versions"]["a-managed"]["server"]["args"]


def test_a_second_object_for_a_model_name_that_is_taken_over_is_said() -> None:
    objects = copy.deepcopy(rendered_objects("v1alpha2"))
    first = next(o for o in objects if o["kind"] == "InferenceModel" and "rollout" not in str(o["metadata"].get("annotations")))
    first["metadata"]["name"] = "by-hand"
    found = taken_objects(objects)

    assert any("of two the older wins; rename this one to" in s for s in sentences(found, "cannot"))


def test_what_a_rewrite_asks_for_beside_a_name_is_said() -> None:
    match = {"model": {"value": "x"}, "headers": [{"name": "x-a", "value": "1"}]}
    rule = {"matches": [match], "targets": [{"modelRewrite": "y", "weight": 1}], "fallback": True}
    paths = [f.path for f in taken_objects([ROUTE, POOL, server(), rewrite(rule)]).of("cannot")]

    assert {"spec.rules[0].fallback", "spec.rules[0].matches[0].headers"} <= set(paths)


def test_a_target_that_is_listed_twice_is_said() -> None:
    targets = [{"name": "f-1", "weight": 50}, {"name": "f-1", "weight": 30}, {"name": "f-2", "weight": 20}]
    found = taken_objects([ROUTE, POOL, server(), model("f", targetModels=targets)])

    assert any("f-1 is listed more than once" in s for s in sentences(found, "cannot"))


def test_two_criticalities_of_one_name_are_said() -> None:
    versions = [
        {"modelName": f"f-v{i}", "weight": 50, "criticality": level, "poolRef": {"name": "a"}}
        for i, level in enumerate(["Critical", "Sheddable"])
    ]
    broken = {"apiVersion": f"{GROUP}/v1alpha2", "kind": "InferenceModel", "metadata": {"name": "f"}}
    found = taken_objects([ROUTE, POOL, server(), {**broken, "spec": {"versions": versions}}])

    assert any("the criticality of f is Critical and Sheddable" in s for s in sentences(found, "cannot"))
