"""What a stack finds when it comes: the Gateway and the namespaces that exist before it."""

from __future__ import annotations

import json
from typing import Any

from inference_rollouts.settings import Stack
from sandbox.apply.kubectl import Kubectl
from sandbox.home import Gateways

GATEWAY_CLASSES = {"gke": "gke-l7-regional-external-managed", "istio": "istio"}
GATEWAYS = "gateways.gateway.networking.k8s.io"

MADE_HERE = "sandbox/rehearsal"
"""Label of Gateways that were made here, by which they are told from those of others."""


def furnish(kubectl: Kubectl, stack: Stack, gateway: Gateways) -> None:
    """Create the namespaces, and the Gateway unless the stack creates it itself. The node agent has made nodes for pickers.

    A Gateway that was made here for another stack goes: Istio's Envoy serves the oldest.
    """
    place = stack.gateway.namespace or "default"
    wanted = None if stack.gateway.create else (place, stack.gateway.name)
    standing = _gateways(kubectl)
    for namespace, name in sorted(key for key, ours in standing.items() if ours and key != wanted):
        kubectl.run("delete", GATEWAYS, name, "-n", namespace, "--ignore-not-found")
    spaces = {service.namespace for service in stack.services.values()} | {place}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted(spaces - {"default"})
    ]
    if wanted:
        labels = {MADE_HERE: ""} if standing.get(wanted, True) else {}  # one that somebody else made stays theirs
        objects.append(_gateway(stack.gateway.name, place, GATEWAY_CLASSES[gateway], labels))
    if objects:
        kubectl.apply(*objects)


def _gateways(kubectl: Kubectl) -> dict[tuple[str, str], bool]:
    """Namespace and name of every Gateway that stands, and whether it was made here."""
    found = [item["metadata"] for item in json.loads(kubectl.run("get", GATEWAYS, "--all-namespaces", "-o", "json"))["items"]]
    return {(about["namespace"], about["name"]): MADE_HERE in about.get("labels", {}) for about in found}


def _gateway(name: str, namespace: str, gateway_class: str, labels: dict[str, str]) -> dict[str, Any]:
    listener = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"gatewayClassName": gateway_class, "listeners": [listener]},
    }
