"""Whether a Deployment is there in full: at its current generation, with no pods of an earlier one, and available."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.checks import Finding, Verdict
from inference_rollouts.observe.cluster import Absent, Answer, Found, Unreadable


def available(check: str, at: str, answer: Answer, replicas: int | None = None) -> Finding:
    """The finding on one Deployment.

    Args:
        replicas: pods that it takes; None for as many as it asks for. None at all is never enough.
    """
    wanted = max(1, _asked(answer) if replicas is None else replicas)
    verdict, seen = _look(answer, wanted)
    return Finding(check, verdict, seen, f"{wanted}", at)


def _asked(answer: Answer) -> int:
    return answer.value.get("spec", {}).get("replicas", 1) if isinstance(answer, Found) else 1


def _look(answer: Answer, wanted: int) -> tuple[Verdict, str]:
    match answer:
        case Absent():
            return "fail", "nothing of that name"
        case Unreadable(reason):
            return "unknown", f"no answer: {reason}"
        case Found(deployment):
            return _count(deployment, deployment.get("status") or {}, wanted)


def _count(deployment: Mapping[str, Any], status: Mapping[str, Any], wanted: int) -> tuple[Verdict, str]:
    generation, observed = deployment["metadata"].get("generation", 0), status.get("observedGeneration", 0)
    if observed < generation:
        return "unknown", f"a status of generation {observed}, while the Deployment is at {generation}"
    ready, pods, new = (status.get(key, 0) for key in ("availableReplicas", "replicas", "updatedReplicas"))
    if ready < wanted:
        return "fail", f"{ready} of {wanted} replicas available{_why(status)}"
    if pods > new:
        return "fail", f"{ready} replicas available, {pods - new} of {pods} still from an earlier template"
    return "pass", f"{ready} replicas available"


def _why(status: Mapping[str, Any]) -> str:
    """What the Deployment itself complains of: no quota, no progress within its deadline."""
    told = [
        f"{c.get('reason')}: {c.get('message')}"
        for c in status.get("conditions") or ()
        if (c.get("type"), c.get("status")) in (("ReplicaFailure", "True"), ("Progressing", "False"))
    ]
    return f" ({'; '.join(told)})" if told else ""
