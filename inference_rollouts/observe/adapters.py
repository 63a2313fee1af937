"""Whether every Ready pod of a version holds the adapters that get traffic, by the pods' own word (data/adapter_sync.py).

A pod without one of them would answer 404 to the requests rewritten to it, and /v1/models of some pod says nothing of the
others. The ConfigMap with the list takes about a minute to reach a pod, so no word of it is no proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from inference_rollouts.checks import Finding, Verdict
from inference_rollouts.manifests.server_pod import STATUS_PORT
from inference_rollouts.observe.cluster import Absent, Answer, Cluster, Found, Unreadable
from inference_rollouts.observe.pods import ready_pods
from inference_rollouts.observe.targets import ReadyTarget, VersionTarget

AT_ONCE = 8
"""Pods that are asked at the same time."""


def held(cluster: Cluster, namespace: str, selector: Mapping[str, str]) -> Answer:
    """Found: the answer of each Ready pod's sidecar, by pod."""
    pods = ready_pods(cluster, namespace, selector)
    if not isinstance(pods, Found):
        return pods
    with ThreadPoolExecutor(AT_ONCE) as several:
        answers = several.map(lambda name: cluster.pod_proxy_json(namespace, name, STATUS_PORT, "/adapters"), pods.value)
        return Found(dict(zip(pods.value, answers, strict=True)))


def adapters_held(target: ReadyTarget, version: VersionTarget, answer: Answer) -> Finding:
    """The finding on the adapters of one version."""
    verdict, seen = _judged(version, answer)
    wanted = f"{', '.join(version.adapters)} loaded on every Ready pod"
    at = target.at("pods of Deployment", str(version.server))
    return Finding(f"{version.role} holds its adapters", verdict, seen, wanted, at)


def _judged(version: VersionTarget, answer: Answer) -> tuple[Verdict, str]:
    match answer:
        case Absent() | Unreadable():
            return "unknown", f"no answer: {getattr(answer, 'reason', 'the API server knows no pods')}"
        case Found(pods) if not pods:
            return "fail", "no Ready pod"
        case Found(pods):
            looked = [_of_pod(name, pod, version.adapters) for name, pod in pods.items()]
    failed = [seen for verdict, seen in looked if verdict == "fail"]
    silent = [seen for verdict, seen in looked if verdict == "unknown"]
    if failed or silent:
        return "fail" if failed else "unknown", _few(failed + silent)
    return "pass", f"all of them on {len(looked)} Ready pods"


def _of_pod(name: str, answer: Answer, wanted: tuple[str, ...]) -> tuple[Verdict, str]:
    if not isinstance(answer, Found):
        return "unknown", f"{name}: no answer: {getattr(answer, 'reason', 'it is gone')}"
    try:
        rows = {row["name"]: row for row in answer.value["adapters"]}
        states = {adapter: _state(rows.get(adapter)) for adapter in wanted}
    except (KeyError, TypeError):
        return "unknown", f"{name}: an answer of another shape than the sidecar's"
    missing = [f"{adapter} {state}" for adapter, state in states.items() if state != "loaded"]
    return ("fail", f"{name}: {', '.join(missing)}") if missing else ("pass", name)


def _state(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "not in its list"
    return f"{row['state']} ({row['error']})" if row.get("error") and row["state"] != "loaded" else str(row["state"])


def _few(told: list[str]) -> str:
    return "; ".join(told[:3]) + (f"; and {len(told) - 3} more pods" if len(told) > 3 else "")
