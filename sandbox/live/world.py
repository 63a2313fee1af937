"""What a stack finds when it comes: the Gateway and the namespaces that exist before it, and how fast the servers are."""

from __future__ import annotations

import json
from typing import Any

from inference_rollouts.settings import Stack
from sandbox.apply.kubectl import Kubectl
from sandbox.home import Gateways, Home
from sandbox.nodes.provision import NodePools

GATEWAY_CLASSES = {"gke": "gke-l7-regional-external-managed", "istio": "istio"}


SYSTEM_POOL = {
    "name": "default-pool",
    "location": "us-central1",
    "nodeLocations": ["us-central1-a"],
    "nodeCount": 2,
    "nodeConfig": {"machineType": "e2-standard-8"},
}
"""Nodes without accelerators, for endpoint pickers: every cluster has some."""


def furnish(kubectl: Kubectl, pools: NodePools, stack: Stack, gateway: Gateways) -> None:
    """Create the nodes of the cluster's own, the namespaces, and the Gateway unless the stack creates it itself."""
    pools.apply(SYSTEM_POOL)
    spaces = {service.namespace for service in stack.services.values()} | {stack.gateway.namespace or "default"}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted(spaces - {"default"})
    ]
    if stack.gateway.create is None:
        objects.append(_gateway(stack.gateway.name, stack.gateway.namespace or "default", GATEWAY_CLASSES[gateway]))
    if objects:
        kubectl.apply(*objects)


def _gateway(name: str, namespace: str, gateway_class: str) -> dict[str, Any]:
    listener = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": gateway_class, "listeners": [listener]},
    }


def pace(home: Home, token_seconds: float, **more: Any) -> None:
    """How the simulated servers behave from now on (see sandbox.nodes.settings)."""
    path = home.root / "nodes.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"tokenSeconds": token_seconds, **more}), "utf-8")
    partial.replace(path)
