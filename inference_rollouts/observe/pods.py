"""The pods of a version, or behind a pool that somebody else owns, that can take requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.checks import Finding, Verdict
from inference_rollouts.observe.cluster import Absent, Answer, Cluster, Found, Unreadable
from inference_rollouts.observe.targets import ReadyTarget, VersionTarget


def ready_pods(cluster: Cluster, namespace: str, selector: Mapping[str, str]) -> Answer:
    """Found: the names of the pods with these labels that are Ready and not on their way out, in order."""
    pods = cluster.list("v1", "Pod", namespace, selector)
    return Found(sorted(pod["metadata"]["name"] for pod in pods.value if _is_ready(pod))) if isinstance(pods, Found) else pods


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = {c.get("type"): c.get("status") for c in (pod.get("status") or {}).get("conditions") or ()}
    return conditions.get("Ready") == "True" and not pod["metadata"].get("deletionTimestamp")


def ready_behind(cluster: Cluster, namespace: str, pool: Answer) -> Answer:
    """Found: the names of the Ready pods that an InferencePool selects, whoever made them."""
    if not isinstance(pool, Found):
        return pool
    selector = (pool.value.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels", selector)  # v1alpha2 has the labels alone
    return ready_pods(cluster, namespace, labels) if labels else Unreadable("the pool selects no pods by their labels")


def has_ready_pods(target: ReadyTarget, version: VersionTarget, answer: Answer) -> Finding:
    """The finding on the pods behind a pool that somebody else owns: of its servers nothing else is known."""
    verdict, seen = _counted(answer)
    at = target.at("InferencePool", version.pool)
    return Finding(f"{version.role} ready", verdict, seen, "a Ready pod behind its pool", at)


def _counted(answer: Answer) -> tuple[Verdict, str]:
    match answer:
        case Absent():
            return "fail", "no pool of that name"
        case Unreadable(reason):
            return "unknown", f"no answer: {reason}"
        case Found(pods):
            return ("pass", f"{len(pods)} Ready pods") if pods else ("fail", "none")
