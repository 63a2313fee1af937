"""The pods of a version that can take requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.observe.cluster import Answer, Cluster, Found


def ready_pods(cluster: Cluster, namespace: str, selector: Mapping[str, str]) -> Answer:
    """Found: the names of the pods with these labels that are Ready and not on their way out, in order."""
    pods = cluster.list("v1", "Pod", namespace, selector)
    return Found(sorted(pod["metadata"]["name"] for pod in pods.value if _is_ready(pod))) if isinstance(pods, Found) else pods


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = {c.get("type"): c.get("status") for c in (pod.get("status") or {}).get("conditions") or ()}
    return conditions.get("Ready") == "True" and not pod["metadata"].get("deletionTimestamp")
