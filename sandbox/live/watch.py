"""What must not change while an adapter is rolled out: pods, pools, servers and the route. As values that can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.apply.kubectl import Kubectl

KINDS = ("deployments.apps", "inferencepools.inference.networking.k8s.io", "httproutes.gateway.networking.k8s.io")


def standing(kubectl: Kubectl, namespace: str) -> Mapping[str, Any]:
    """UID and restarts of every pod, UID and generation of every Deployment, pool and route of a namespace."""
    found: dict[str, Any] = {}
    for item in _items(kubectl, "pods", namespace):
        if "deletionTimestamp" in item["metadata"]:
            continue
        restarts = sum(c.get("restartCount", 0) for c in item.get("status", {}).get("containerStatuses", ()))
        found[f"pod {item['metadata']['name']}"] = (item["metadata"]["uid"], restarts)
    for kind in KINDS:
        for item in _items(kubectl, kind, namespace):
            name = f"{item['kind']} {item['metadata']['name']}"
            found[name] = (item["metadata"]["uid"], item["metadata"]["generation"])
    return found


def _items(kubectl: Kubectl, kind: str, namespace: str) -> list[dict[str, Any]]:
    return json.loads(kubectl.run("get", kind, "-n", namespace, "-o", "json"))["items"]
