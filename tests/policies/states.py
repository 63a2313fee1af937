"""Minimal registered states, recorded ones, and what the rules of the policy pack say of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from inference_rollouts.manifests.inference_pool import InferencePoolArgs, objects
from inference_rollouts.predicates import Resource, Stack
from inference_rollouts.rehearsal.program import Recording, run
from inference_rollouts.rehearsal.walk import Rehearsal, Step, at
from policies.rules import ON_RESOURCE, ON_STACK
from tests.conftest import EXAMPLES, FIXTURES, ROOT, example

V1 = "inference.networking.k8s.io"
EXTERNAL = {"external": ("default/their-pool",)}
"""What the policy config of a stack has to declare."""


def said(resources: Iterable[Resource], external: Iterable[str] = ()) -> dict[str, list[str]]:
    """The sentences of every policy that speaks, by its name."""
    stack = Stack(list(resources), list(external))
    found: dict[str, list[str]] = {}
    for resource in stack.resources:
        for rule in ON_RESOURCE:
            found.setdefault(rule.name, []).extend(rule.judge(resource))
        for rule in ON_STACK:
            found.setdefault(rule.name, []).extend(rule.judge(resource, stack))
    return {name: sentences for name, sentences in found.items() if sentences}


# --- minimal ----------------------------------------------------------------------------------------------------------


def kubernetes(api_version: str, kind: str, name: Any, *, protect: bool = True, **rest: Any) -> Resource:
    metadata = {"name": name, "namespace": rest.pop("namespace", "default"), **rest.pop("metadata", {})}
    inputs = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
    group = api_version if "/" in api_version else f"core/{api_version}"
    return Resource(f"kubernetes:{group}:{kind}", inputs, f"urn:pulumi:s::p::{group}:{kind}::{name}", protect)


def ref(name: Any, weight: Any = None, **over: Any) -> dict[str, Any]:
    whole = {"group": V1, "kind": "InferencePool", "name": name, "weight": weight, **over}
    return {key: value for key, value in whole.items() if value is not None}


def route(*refs: Any, protect: bool = True, **rest: Any) -> Resource:
    """An HTTPRoute of one rule."""
    spec = {"rules": [{"backendRefs": list(refs)}]}
    return kubernetes("gateway.networking.k8s.io/v1", "HTTPRoute", "chat", protect=protect, spec=spec, **rest)


def pool(name: str, *, protect: bool = True) -> Resource:
    """An InferencePool that selects pods by `app` and has a picker."""
    spec = {"selector": {"matchLabels": {"app": name}}, "endpointPickerRef": {"name": f"{name}-epp"}}
    return kubernetes(f"{V1}/v1", "InferencePool", name, protect=protect, spec=spec)


def policy(kind: str, target: str, name: str = "", **default: Any) -> Resource:
    """A policy of GKE's on a pool."""
    spec = {"targetRef": {"group": V1, "kind": "InferencePool", "name": target}, "default": default}
    return kubernetes("networking.gke.io/v1", kind, name or target, spec=spec)


def health_check(target: str, name: str = "") -> Resource:
    """The HealthCheckPolicy that we write ourselves."""
    args = InferencePoolArgs(name=target, namespace="default", selector={"app": target}, picker=f"{target}-epp")
    return policy("HealthCheckPolicy", target, name, **objects(args)["health-check"]["spec"]["default"])


def workload(name: str, image: Any, labels: Mapping[str, Any], kind: str = "Deployment", **pod: Any) -> Resource:
    whole = {"containers": [{"name": "main", "image": image}], **pod}
    return kubernetes("apps/v1", kind, name, spec={"template": {"metadata": {"labels": labels}, "spec": whole}})


def rewrite(*targets: Any, protect: bool = True, of: str = "chat") -> Resource:
    """An InferenceModelRewrite of one rule."""
    spec = {"poolRef": {"name": of}, "rules": [{"targets": list(targets)}]}
    return kubernetes("inference.networking.x-k8s.io/v1alpha2", "InferenceModelRewrite", "tone", protect=protect, spec=spec)


def model(targets: Any) -> Resource:
    """A legacy InferenceModel."""
    spec = {"modelName": "tone", "poolRef": {"name": "chat"}} | ({} if targets is None else {"targetModels": targets})
    return kubernetes("inference.networking.x-k8s.io/v1alpha2", "InferenceModel", "tone", spec=spec)


def node_pool(**inputs: Any) -> Resource:
    return Resource("gcp:container/nodePool:NodePool", inputs, "urn:pulumi:s::p::gcp:container/nodePool:NodePool::nodes", True)


BAD = {
    "route-weights": [route(ref("chat", 50), ref("new", 49)), pool("chat"), pool("new")],
    "model-targets": [rewrite({"modelRewrite": "a", "weight": 1}, {"modelRewrite": "b"})],
    "backend-group": [route({"kind": "InferencePool", "name": "chat"}), pool("chat")],
    "health-check-port": [policy("HealthCheckPolicy", "chat", config={"httpHealthCheck": {"port": 8000}})],
    "session-affinity": [policy("GCPBackendPolicy", "chat", sessionAffinity={"type": "CLIENT_IP"})],
    "initial-node-count": [node_pool(initialNodeCount=1, nodeConfig={"machineType": "ct6e-standard-4t"})],
    "traffic-protected": [route(ref("chat")), pool("chat", protect=False)],
    "backend-pool": [route(ref("chat"))],
    "health-check-policy": [route(ref("chat")), pool("chat"), policy("GCPBackendPolicy", "chat")],
    "one-policy-per-pool": [health_check("chat"), health_check("chat", "second")],
    "pinned-images": [pool("chat"), workload("chat", "vllm", {"app": "chat"})],
}
"""A state that one policy refuses, by its name."""


# --- recorded ---------------------------------------------------------------------------------------------------------


@functools.cache
def rehearsal_of(stack: str) -> Rehearsal:
    return Rehearsal(ROOT, stack, example(stack))


PLACES = [
    (stack, index, step)
    for stack in (*EXAMPLES, *FIXTURES)
    for index, rollout in enumerate(rehearsal_of(stack).rollouts())
    for step in rollout.steps
]
"""Every stage of every rollout of every example and fixture."""


def as_judged(recording: Recording) -> list[Resource]:
    """What the program registered, in a fixed order."""
    found = (Resource(r.type, r.inputs, r.urn, r.protect, r.parent) for r in recording.resources.values())
    return sorted(found, key=lambda r: r.urn)


@functools.cache
def recorded(stack: str, index: int, step: Step, preview: bool = True) -> tuple[Resource, ...]:
    """What the program registers with one rollout of a stack at a stage."""
    rehearsal = rehearsal_of(stack)
    config = at(rehearsal.config, rehearsal.rollouts()[index], step)
    return tuple(as_judged(run(ROOT, stack, config, preview=preview)))


def replaced(resources: Iterable[Resource], old: Resource, **changes: Any) -> list[Resource]:
    """The state with one resource changed."""
    return [replace(r, **changes) if r is old else r for r in resources]


def with_input(inputs: Any, path: tuple[str | int, ...], value: Any = None) -> Any:
    """A copy with another value at a path; None takes the key away."""
    key, *rest = path
    out: Any = list(inputs) if isinstance(inputs, list | tuple) else dict(inputs)
    inner = with_input(out[key], tuple(rest), value) if rest else value
    if inner is None and isinstance(out, dict):
        out.pop(key, None)
    else:
        out[key] = inner
    return out
