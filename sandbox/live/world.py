"""What a stack finds when it comes: the Gateway and the namespaces that exist before it."""

from __future__ import annotations

from typing import Any

from inference_rollouts.settings import Stack
from sandbox.apply.kubectl import Kubectl
from sandbox.home import Gateways

GATEWAY_CLASSES = {"gke": "gke-l7-regional-external-managed", "istio": "istio"}


def furnish(kubectl: Kubectl, stack: Stack, gateway: Gateways) -> None:
    """Create the namespaces, and the Gateway unless the stack creates it itself. The node agent has made nodes for pickers."""
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
