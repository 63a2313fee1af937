"""The status of a pod, from its containers: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.nodes.container import Container

Status = dict[str, Any]


def is_sidecar(spec: Mapping[str, Any]) -> bool:
    """Whether an init container goes on running beside the others."""
    return spec.get("restartPolicy") == "Always"


def container_status(container: Container, uid: str) -> Status:
    """One entry of containerStatuses."""
    identity = hashlib.sha256(f"{uid}{container.name}{container.restarts}".encode()).hexdigest()
    return {
        "name": container.name,
        "image": container.spec["image"],
        "imageID": container.spec["image"],
        "containerID": f"sandbox://{identity}",
        "ready": container.ready,
        "started": container.started,
        "restartCount": container.restarts,
        "state": container.state,
        "lastState": container.last_state,
    }


def done_status(spec: Mapping[str, Any], at: str) -> Status:
    """Of an init container that ends: it is taken for done, since its image cannot be run here."""
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at}
    return {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": spec["image"],
        "ready": True,
        "started": False,
        "restartCount": 0,
        "state": {"terminated": ended},
        "lastState": {},
    }


def pod_status(
    pod: Mapping[str, Any],
    ip: str,
    host_ip: str,
    init: Sequence[Status],
    containers: Sequence[Status],
    *,
    initialized: bool,
    at: str,
) -> Status:
    """The whole status; a condition that stays as it was keeps its time.

    Args:
        pod: as the API server has it.
        ip, host_ip: addresses.
        init, containers: the containers' own.
        initialized: whether the init containers are through.
        at: now.
    """
    sidecars = {spec["name"] for spec in pod["spec"].get("initContainers") or () if is_sidecar(spec)}
    counted = [*(s for s in init if s["name"] in sidecars), *containers]
    unready = [s["name"] for s in counted if not s["ready"]]
    ready = initialized and not unready
    gates = {gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()}
    old = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or ()}
    open_gates = [gate for gate in gates if (old.get(gate) or {}).get("status") != "True"]
    wanted = {
        "PodReadyToStartContainers": (True, ""),
        "Initialized": (initialized, ""),
        "ContainersReady": (ready, _unready(unready)),
        "Ready": (ready and not open_gates, _unready(unready)),
    }
    conditions = [_condition(old.get(kind), kind, holds, why, at) for kind, (holds, why) in wanted.items()]
    return {
        "phase": "Running" if initialized else "Pending",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": (pod.get("status") or {}).get("startTime") or at,
        "conditions": conditions,
        "initContainerStatuses": list(init),
        "containerStatuses": list(containers),
    }


def _unready(names: Iterable[str]) -> str:
    return f"containers with unready status: [{' '.join(names)}]"


def _condition(old: Mapping[str, Any] | None, kind: str, holds: bool, why: str, at: str) -> Status:
    status = "True" if holds else "False"
    since = old["lastTransitionTime"] if old and old["status"] == status and old.get("lastTransitionTime") else at
    # None takes away what an earlier patch said.
    reason, message = (None, None) if holds else ("ContainersNotReady", why)
    return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
