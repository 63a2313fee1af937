"""The endpoint picker behind an InferencePool as settings, and what tells its API generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_rollouts.manifests import endpoint_picker
from inference_rollouts.manifests.endpoint_picker import DEFAULT_IMAGE, DEFAULT_RESOURCES, EndpointPickerArgs
from inference_rollouts.manifests.inference_pool import POOL_GROUP, InferenceApi
from inference_rollouts.takeover.inventory import Existing, Inventory
from inference_rollouts.takeover.shapes import part, parts, texts

LLM_D = "llm-d.ai"
MODEL_KINDS = ("InferenceModelRewrite", "InferenceObjective", "InferenceModel")
HELM_LABELS = ("inference.networking.k8s.io/igw-mode", "llm-d.ai/igw-mode", "helm.sh/chart")


def reference(pool: Existing) -> Mapping[str, Any]:
    """endpointPickerRef, or extensionRef in v1alpha2."""
    for key in ("endpointPickerRef", "extensionRef"):
        if part(pool.spec, key):
            return part(pool.spec, key)
    return {}


def selector(pool: Existing) -> dict[str, str]:
    """Labels by which a pool finds its pods, in either generation."""
    found = part(pool.spec, "selector")
    inner = part(found, "matchLabels") if "matchLabels" in found else found
    return {str(k): str(v) for k, v in inner.items()}


def deployments(pool: Existing, inventory: Inventory) -> list[Existing]:
    """What runs the picker: by the selector of the Service that the pool names, else by that name."""
    name = str(reference(pool).get("name"))
    service = inventory.get("Service", pool.namespace, name)
    chosen = part(service.spec, "selector") if service else {}
    if chosen:
        return inventory.selected(("Deployment", "StatefulSet"), pool.namespace, chosen)
    found = inventory.get("Deployment", pool.namespace, name)
    return [found] if found else []


def on_pool(pool: Existing, inventory: Inventory, *kinds: str) -> Iterator[Existing]:
    """Objects of model names that name the pool."""
    for found in inventory.of_kind(*(kinds or MODEL_KINDS), namespace=pool.namespace):
        if part(found.spec, "poolRef").get("name") == pool.name:
            yield found


def policies(pool: Existing, inventory: Inventory) -> Iterator[Existing]:
    """GKE's policies that are attached to the pool, whatever their names are."""
    for found in inventory.of_kind("HealthCheckPolicy", "GCPBackendPolicy", namespace=pool.namespace):
        target = part(found.spec, "targetRef")
        if (target.get("kind"), target.get("name")) == ("InferencePool", pool.name):
            yield found


def api_of(pool: Existing, inventory: Inventory) -> InferenceApi:
    """The API generation: the pool's group, then who else speaks of llm-d's."""
    if pool.group == POOL_GROUP["v1alpha2"]:
        return "v1alpha2"
    images = [str(c.get("image")) for d in deployments(pool, inventory) for c in _containers(d)]
    groups = [found.group for found in on_pool(pool, inventory)]
    return "llm-d" if LLM_D in groups or any("llm-d" in image for image in images) else "v1"


def _containers(workload: Existing) -> list[Mapping[str, Any]]:
    return parts(part(workload.spec, "template", "spec").get("containers"))


def made_by_helm(workload: Existing) -> bool:
    """Whether a chart made it: by Helm's own marks, or by the charts' labels on its pods."""
    labels = part(workload.spec, "template", "metadata", "labels")
    return bool(workload.release) or any(label in labels or label in workload.labels for label in HELM_LABELS)


def settings(pool: Existing, inventory: Inventory, api: InferenceApi) -> dict[str, Any]:
    """`endpointPicker` of a version, without what is the default."""
    mode = reference(pool).get("failureMode", "FailClose")
    out: dict[str, Any] = {"failureMode": mode if mode != "FailOpen" else None}
    name = str(reference(pool).get("name"))
    config = inventory.get("ConfigMap", pool.namespace, name)
    text = part(config.manifest, "data").get("default-plugins.yaml") if config else None
    out["config"] = text if text != endpoint_picker.default_config(api) else None
    for deployment in deployments(pool, inventory)[:1]:
        container = next(iter(_containers(deployment)), {})
        replicas = deployment.spec.get("replicas", 1)
        replicas = replicas if isinstance(replicas, int) else 1
        args = EndpointPickerArgs(name=name, namespace=pool.namespace, pool=pool.name, api=api, replicas=replicas)
        out["image"] = container.get("image") if container.get("image") != DEFAULT_IMAGE[api] else None
        out["replicas"] = replicas if replicas != 1 else None
        out["resources"] = container.get("resources") if container.get("resources") != DEFAULT_RESOURCES else None
        own, given = endpoint_picker.command_args(args), texts(container.get("args"))
        out["args"] = given[len(own) :] if given[: len(own)] == own else None
    return {key: value for key, value in out.items() if value}
