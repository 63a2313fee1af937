"""A service in the middle of a rollout, as a cluster shows it: our own manifests, with what controllers add to them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inference_rollouts.manifests import adapter_split, endpoint_picker, inference_pool, model_server
from inference_rollouts.manifests.inference_pool import POOL_GROUP, InferenceApi
from inference_rollouts.manifests.route import GKE_CONTROLLER, Backend, WeightedRouteArgs, http_route
from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.observe.targets import ReadyTarget, VersionTarget, adapter_target, route_target
from inference_rollouts.record import Split
from tests.observe.fake_apiserver import FakeApiServer, Object

SINCE = "2026-11-24T12:00:00Z"
SPLIT = Split(serving="llm", to="llm-new", steps=(1, 10, 25, 50, 100), stage=10, weights={"llm": 90, "llm-new": 10})
TONE = Split(serving="tone-v1", to="tone-v2", steps=(10, 100), stage="prepare", weights={"tone-v1": 100, "tone-v2": 0})
PARENT = {"name": "gateway"}


def managed(
    value: Object, field: str, manager: str = "pulumi-kubernetes-1", operation: str = "Apply", time: str = SINCE
) -> Object:
    """The object with another manager that owns a field of its spec."""
    out = copy.deepcopy(value)
    entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": out["apiVersion"],
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {f"f:{field}": {}}},
    }
    out["metadata"].setdefault("managedFields", []).append(entry)
    return out


def condition(name: str, status: str = "True", generation: int | None = 3, reason: str = "Fine", message: str = "") -> Object:
    about = {} if generation is None else {"observedGeneration": generation}
    return {"type": name, "status": status, "reason": reason, "message": message, **about}


def route(split: Split = SPLIT, weights: Mapping[str, int] | None = None, *, gke: bool = True) -> Object:
    """The HTTPRoute of a split, at generation 3 and accepted; with other live weights where a hand was at work."""
    live = weights or split.weights
    args = WeightedRouteArgs(
        name="routes-to-llm",
        namespace="default",
        parent_refs=(PARENT,),
        backends=tuple(Backend(group=POOL_GROUP["v1"], pool=f"{v}-pool", weight=w) for v, w in live.items()),
        annotations={SPLIT_ANNOTATION: split.to_json()},
        gke=gke,
    )
    value = managed(http_route(args), "rules")
    value["metadata"]["generation"] = 3
    names = ("Accepted", "ResolvedRefs", "Reconciled") if gke else ("Accepted", "ResolvedRefs")
    parent = {
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway"},
        "controllerName": GKE_CONTROLLER if gke else "istio.io/gateway-controller",
        "conditions": [condition(name) for name in names],
    }
    value["status"] = {"parents": [parent]}
    return value


def pool(name: str = "llm-new-pool", api: InferenceApi = "v1") -> Object:
    """An InferencePool at generation 1, accepted by the gateway."""
    args = inference_pool.InferencePoolArgs(name=name, namespace="default", api=api, selector={"app": name}, picker="p")
    value = inference_pool.inference_pool(args)
    value["metadata"]["generation"] = 1
    parent = {
        "parentRef": {"kind": "Gateway", "name": "gateway"},
        "conditions": [condition("Accepted", generation=1), condition("ResolvedRefs", generation=1)],
    }
    value["status"] = {"parent" if api == "v1alpha2" else "parents": [parent]}
    return value


def deployment(name: str = "llm-new", replicas: int = 2, **status: int) -> Object:
    """A Deployment at generation 2 with all its replicas available; `status` overrides what it reports."""
    server = model_server.ModelServerArgs(
        name=name, namespace="default", selector={"app": name}, models=("llm",), model="m", image="vllm:v1", replicas=replicas
    )
    value = copy.deepcopy(model_server.objects(server)["server"])
    value["metadata"]["generation"] = 2
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
    value["status"] = {"observedGeneration": 2, **counts, **status}
    return value


def picker(name: str = "llm-new-epp", available: int = 1) -> Object:
    args = endpoint_picker.EndpointPickerArgs(name=name, namespace="default", pool="llm-new-pool")
    value = copy.deepcopy(endpoint_picker.objects(args)["deployment"])
    value["metadata"]["generation"] = 1
    value["status"] = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}
    return value


def pod(name: str, app: str = "llm-new", *, ready: bool = True, going: bool = False) -> Object:
    meta: Object = {"name": name, "namespace": "default", "labels": {"app": app, "more": "labels"}}
    if going:
        meta["deletionTimestamp"] = SINCE
    told = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": told}


def sidecar(**states: str) -> Object:
    """What /adapters says, as data/adapter_sync.py words it; adapter names with `_` for `-`."""
    rows = [
        {"name": name.replace("_", "-"), "source": "gs://b/a", "routed": True, "state": state, "since": SINCE, "error": None}
        for name, state in states.items()
    ]
    return {"ready": True, "server": "up", "errors": {"list": None, "server": None}, "adapters": rows}


def tone(split: Split = TONE, weights: Mapping[str, int] | None = None, api: InferenceApi = "v1") -> Object:
    """The split of the adapter `tone` on the canary's pool."""
    args = adapter_split.AdapterSplitArgs(
        name="llm-new-pool-tone",
        namespace="default",
        api=api,
        pool="llm-new-pool",
        model="tone",
        weights=weights or split.weights,
        annotations={SPLIT_ANNOTATION: split.to_json()},
    )
    return managed(adapter_split.split(args), "targetModels" if api == "v1alpha2" else "rules")


def canary(adapters: tuple[str, ...] = ()) -> VersionTarget:
    return VersionTarget(
        pool="llm-new-pool",
        server="llm-new",
        picker="llm-new-epp",
        replicas=2,
        selector={"app": "llm-new"},
        adapters=adapters,
    )


def target(*, gke: bool = True, api: InferenceApi = "v1", adapters: tuple[str, ...] = ()) -> ReadyTarget:
    """What has to be ready before the canary goes beyond 10 %."""
    return ReadyTarget(
        namespace="default",
        gke=gke,
        api=api,
        route=route_target("routes-to-llm", SPLIT, {"llm": "llm-pool", "llm-new": "llm-new-pool"}),
        parent_refs=(PARENT,),
        versions=(canary(adapters),),
        splits=(adapter_target(api, "llm-new-pool-tone", TONE),) if adapters else (),
    )


def stable_too(wanted: ReadyTarget) -> ReadyTarget:
    """Stable has to be ready, as well."""
    stable = VersionTarget(role="stable", pool="llm-pool", server="llm", picker="llm-epp", selector={"app": "llm"})
    return replace(wanted, versions=(*wanted.versions, stable))


def everything(server: FakeApiServer) -> None:
    """Let all of it stand, ready."""
    server.put(route(), pool(), deployment(), picker(), tone(), pod("llm-new-a"), pod("llm-new-b"))
    server.put(pool("llm-pool"), deployment("llm"), picker("llm-epp"))
    server.adapters |= {name: sidecar(tone_v1="loaded", tone_v2="loaded") for name in ("llm-new-a", "llm-new-b")}


def parents(value: Object) -> list[Any]:
    """The status entries of a route or a pool, to be changed."""
    status = value["status"]
    return status.get("parents") or status["parent"]
