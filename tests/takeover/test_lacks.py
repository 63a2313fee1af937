"""A version of our own beside a team's names what it lacks, in one line; what a setting says is not named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from inference_rollouts.takeover import text
from tests.takeover.reading import manifests, rendered_objects, service, taken_objects

OURS = "vllm-llama3-8b-managed"
SERVER, POOL, PICKER = "vllm-llama3-8b-instruct", "vllm-llama3-8b", "vllm-llama3-8b-epp"
Change = Callable[[dict[str, Any]], Any]


def changed(kind: str, name: str, change: Change, *more: dict[str, Any]) -> Any:
    objects = list(yaml.safe_load_all(manifests("upstream-helm")[0].read_text("utf-8")))
    (found,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    change(found)
    return taken_objects([*objects, *more])


def lacks(found: Any) -> list[str]:
    return list(found.services[0].drafts[OURS].lacks)


def pod(change: Change) -> Any:
    return changed("Deployment", SERVER, lambda o: change(o["spec"]["template"]["spec"]))


def container(change: Change) -> Any:
    return pod(lambda p: change(p["containers"][0]))


def scaler(**spec: Any) -> dict[str, Any]:
    whole = {"scaleTargetRef": {"kind": "Deployment", "name": SERVER}, "minReplicas": 2, "maxReplicas": 9, **spec}
    meta = {"name": "vllm", "namespace": "serving"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": whole}


def policy(**default: Any) -> dict[str, Any]:
    target = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": POOL}
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "GCPBackendPolicy",
        "metadata": {"name": "armor", "namespace": "serving"},
        "spec": {"targetRef": target, "default": default},
    }


def nothing(_: dict[str, Any]) -> None:
    """Leaves the object as it is."""


def test_a_server_that_the_settings_say_whole_lacks_nothing() -> None:
    assert lacks(changed("Deployment", SERVER, nothing)) == []


SECRET = {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}
PODS = {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"averageValue": "10"}}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: container(lambda c: c["env"].append(SECRET)), ["env API_KEY"]),
        (lambda: container(lambda c: c.update(envFrom=[{"secretRef": {"name": "x"}}])), ["envFrom"]),
        (lambda: container(lambda c: c.update(securityContext={"runAsUser": 1})), ["securityContext"]),
        (lambda: container(lambda c: c.update(lifecycle={"postStart": {"exec": {}}, "preStop": {}})), ["lifecycle.postStart"]),
        (lambda: pod(lambda p: p.update(initContainers=[{"name": "download"}])), ["initContainers.download"]),
        (lambda: pod(lambda p: p["containers"].append({"name": "proxy"})), ["containers.proxy"]),
        (lambda: pod(lambda p: p.update(volumes=[{"name": "models", "nfs": {}}])), ["volumes.models"]),
        (lambda: pod(lambda p: p.update(priorityClassName="high")), ["priorityClassName"]),
        (lambda: pod(lambda p: p.update(imagePullSecrets=[{"name": "x"}])), ["imagePullSecrets"]),
        (
            lambda: pod(lambda p: p.update(tolerations=[{"key": "team"}, {"key": "nvidia.com/gpu"}, {"operator": "Exists"}])),
            ["the toleration of team", "the toleration of everything"],
        ),
        (
            lambda: changed("Deployment", SERVER, lambda o: o["spec"].update(strategy={"type": "Recreate"})),
            ["the Deployment's strategy"],
        ),
        (
            lambda: changed(
                "Deployment",
                SERVER,
                lambda o: o["spec"]["template"]["metadata"].update(annotations={"gke-gcsfuse/volumes": "true"}),
            ),
            ["pod annotation gke-gcsfuse/volumes"],
        ),
        (
            lambda: changed("Deployment", SERVER, lambda o: o["spec"]["template"]["metadata"]["labels"].update(net="inner")),
            ["pod label net"],
        ),
        (
            lambda: changed("Deployment", SERVER, nothing, scaler(metrics=[{"type": "Resource"}])),
            ["HorizontalPodAutoscaler serving/vllm (2 to 9 replicas)"],
        ),
        (
            lambda: changed("Deployment", SERVER, nothing, scaler(metrics=[PODS], behavior={"scaleDown": {}})),
            ["behavior of HorizontalPodAutoscaler serving/vllm"],
        ),
        (
            lambda: changed("InferencePool", POOL, lambda o: o["spec"]["targetPorts"].append({"number": 8001})),
            ["the further targetPorts of the InferencePool"],
        ),
        (
            lambda: changed("InferencePool", POOL, lambda o: o["spec"].update(appProtocol="kubernetes.io/h2c")),
            ["the InferencePool's appProtocol"],
        ),
        (
            lambda: changed("InferencePool", POOL, lambda o: o["spec"]["endpointPickerRef"].update(failureMode="FailClose")),
            ["the endpoint picker's failureMode"],
        ),
        (lambda: changed("Deployment", PICKER, lambda o: o["spec"].update(replicas=2)), ["the endpoint picker's replicas"]),
        (
            lambda: changed(
                "Deployment", PICKER, lambda o: o["spec"]["template"]["spec"]["containers"][0]["args"].append("--tls-cert=/c")
            ),
            ["the endpoint picker's --tls-cert"],
        ),
        (
            lambda: changed("Deployment", SERVER, nothing, policy(securityPolicy="armor", logging={"enabled": True})),
            ["securityPolicy of GCPBackendPolicy serving/armor"],
        ),
    ],
)
def test_what_a_draft_lacks_is_named(found: Callable[[], Any], expected: list[str]) -> None:
    assert lacks(found()) == expected


def test_it_stands_in_one_comment_on_the_draft() -> None:
    found = container(lambda c: c["env"].append(SECRET))
    comments = found.comments["inference-rollouts:services", "llm", "versions", OURS]

    assert comments[-1] == (
        "it lacks what stands there besides: env API_KEY; add what it needs (podSpec, autoscaling, endpointPicker, …)"
    )
    assert "it lacks what stands there besides: env API_KEY" in text.stack_text(found.config, found.comments, [])


def test_the_shared_memory_is_ours_too() -> None:
    def mounted(p: dict[str, Any]) -> None:
        p["volumes"] = [{"name": "dshm", "emptyDir": {"medium": "Memory"}}]
        p["containers"][0]["volumeMounts"] = [{"name": "dshm", "mountPath": "/dev/shm"}]

    assert lacks(pod(mounted)) == []


def test_resources_and_a_long_load_are_settings_of_the_draft() -> None:
    def change(c: dict[str, Any]) -> None:
        c["resources"]["limits"]["memory"] = "30Gi"
        c["startupProbe"] = {"failureThreshold": 360, "periodSeconds": 10}

    found = container(change)
    draft = service(found)["versions"][OURS]["server"]

    assert draft["resources"]["limits"] == {"nvidia.com/gpu": 1, "memory": "30Gi"}
    assert draft["loadTimeout"] == "60m"
    assert lacks(found) == []


def test_accelerators_that_no_machine_is_known_for_stay_in_the_draft() -> None:
    """Where the nodes do not say them, nothing follows from the nodes."""

    def change(p: dict[str, Any]) -> None:
        p["nodeSelector"] = {"cloud.google.com/gke-accelerator": "nvidia-of-tomorrow"}
        p["containers"][0]["args"][3] = "8"
        p["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 8}}

    draft = service(pod(change))["versions"][OURS]["server"]

    assert draft["resources"] == {"limits": {"nvidia.com/gpu": 8}}
    assert draft["args"][:2] == ["--tensor-parallel-size", "8"]


def test_a_model_name_of_the_new_version_alone_is_named_on_its_draft() -> None:
    objects = list(yaml.safe_load_all(manifests("upstream-helm")[0].read_text("utf-8")))
    other = copy.deepcopy([o for o in objects if o["metadata"]["name"] in (SERVER, POOL) and o["kind"] != "HealthCheckPolicy"])
    for found in other:
        found["metadata"]["name"] += "-h100"
    labels = {"app": "h100"}
    (pool,) = [o for o in other if o["kind"] == "InferencePool"]
    (deployed,) = [o for o in other if o["kind"] == "Deployment"]
    pool["spec"]["selector"]["matchLabels"] = deployed["spec"]["selector"]["matchLabels"] = labels
    deployed["spec"]["template"]["metadata"]["labels"] = labels
    deployed["spec"]["template"]["spec"]["containers"][0]["args"] += ["--served-model-name", "chat"]
    found = taken_objects([*objects, *other])

    assert service(found)["models"] == ["meta-llama/Llama-3.1-8B-Instruct"]
    assert found.services[0].drafts["vllm-llama3-8b-h100-managed"].lacks == ("the model name chat",)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "epp"},
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "llm-epp"}, "maxReplicas": 3},
            },
            "an endpoint picker here has a fixed number of replicas",
        ),
        (
            {
                "apiVersion": "networking.gke.io/v1",
                "kind": "GCPBackendPolicy",
                "metadata": {"name": "armor"},
                "spec": {"targetRef": {"kind": "InferencePool", "name": "llm"}, "default": {"securityPolicy": "armor"}},
            },
            "would get a second one beside it, llm, and of two policies of a kind on one pool one has no effect",
        ),
    ],
)
def test_what_acts_on_a_pool_or_its_picker_beside_us_keeps_it_external(extra: Any, why: str) -> None:
    (version, *_) = taken_objects([*rendered_objects("node-update"), extra]).services[0].versions

    assert not version.managed
    assert why in str(version.why)
