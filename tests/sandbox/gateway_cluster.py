"""Two served versions on a running sandbox, from the project's own manifests, for the tests of its gateway."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from inference_rollouts.manifests import endpoint_picker, inference_pool, route
from sandbox.home import Home
from sandbox.traffic.requests import served_by

Manifest = Mapping[str, Any]
NS = "default"
V1 = "inference.networking.k8s.io"
BOTH = {name: served_by(pool=name, deployment=name) for name in ("llm", "llm-new")}
"""How replies tell the version."""


class Cluster:
    """kubectl on a sandbox."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        words = [str(self.home.bin / "kubectl"), f"--kubeconfig={self.home.kubeconfig}", *args]
        return subprocess.run(words, input=stdin, text=True, check=True, capture_output=True).stdout

    def apply(self, *manifests: Manifest) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=test", "-f", "-", stdin=json.dumps(listed))

    def get(self, kind: str, name: str) -> Any:
        return json.loads(self.kubectl("get", kind, name, "-n", NS, "-o", "json"))

    def delete(self, kind: str, *names: str) -> None:
        self.kubectl("delete", kind, *names, "-n", NS, "--ignore-not-found")


def server(name: str, replicas: int = 2) -> Manifest:
    """A model server that needs no accelerator, so that every node will do."""
    container = {
        "name": "server",
        "image": "vllm/vllm-openai:v0.32.0",
        "command": ["vllm", "serve"],
        "args": ["--model", "llm", "--port", "8000", "--shutdown-timeout", "60"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1, "failureThreshold": 1},
    }
    labels = {"app": name}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 90}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NS},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def version(name: str) -> list[Manifest]:
    """Server, pool, policies and picker of one version."""
    pool = inference_pool.InferencePoolArgs(name=name, namespace=NS, selector={"app": name}, picker=f"{name}-epp")
    small = {"requests": {"cpu": "1", "memory": "256Mi"}}
    picker = endpoint_picker.EndpointPickerArgs(name=f"{name}-epp", namespace=NS, pool=name, monitoring=False, resources=small)
    return [server(name), *inference_pool.objects(pool).values(), *endpoint_picker.objects(picker).values()]


def gateway(gateway_class: str = "gke-l7-regional-external-managed") -> Manifest:
    """A Gateway."""
    return route.gateway(route.GatewayArgs(name="inference-gateway", namespace=NS, gateway_class=gateway_class))


def weighted(weights: Mapping[str, int], test: str | None = None, name: str = "routes-to-llm") -> Manifest:
    """The HTTPRoute, as the project writes it."""
    backends = tuple(route.Backend(group=V1, pool=pool, weight=weight) for pool, weight in weights.items())
    header = route.TestHeader(name="x-test", value="new", backend=route.Backend(group=V1, pool=test, weight=1)) if test else None
    return route.http_route(
        route.WeightedRouteArgs(
            name=name, namespace=NS, parent_refs=({"name": "inference-gateway", "namespace": NS},), backends=backends, test=header
        )
    )


def eventually(holds: Callable[[], object], seconds: float = 60) -> float:
    """Seconds until something holds."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - start
