"""What `rollback --now` says of the version that gets the traffic, where too little of it is ready.

It is said, and decides nothing: a broken canary may still be the worse of the two, and who pulls the handle knows. What cannot
be read in a few seconds is left out: it is no time to wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from inference_rollouts.edit import live_words
from inference_rollouts.observe.cluster import Absent, Cluster, Found
from inference_rollouts.observe.from_plan import ready_target
from inference_rollouts.plan import ModelServiceArgs

PATIENCE = 3.0
"""Seconds that the question may take."""


def warnings(cluster: Cluster, service: ModelServiceArgs, stable: str) -> list[str]:
    """What is missing of a version, one sentence each; none where all is there, or nothing can be told.

    Args:
        cluster: where it stands.
        service: its plan.
        stable: the version.
    """
    found: list[list[str]] = []

    def ask() -> None:
        try:
            found.append(list(_missing(cluster, service, stable)))
        except Exception:  # an object of a shape that nobody foresaw must not hold up a rollback
            found.append([])

    # A thread that is left behind must not keep the command from ending.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return found[0] if found else []


def _missing(cluster: Cluster, service: ModelServiceArgs, stable: str) -> Iterator[str]:
    pools = {version.name: version.pool_name for version in service.versions}
    # With something raised every version is in it, not the canary alone.
    target = ready_target(service, service.record, ("",))
    for version in target.versions:
        if version.pool != pools.get(stable):
            continue
        # One picker is enough: of several replicas that elect a leader only the leader is ready.
        parts = ((version.server, f"stable {stable}", version.replicas), (version.picker, f"stable {stable}'s picker", 1))
        for name, part, replicas in parts:
            ready = _ready(cluster, target.namespace, name) if name else None
            wanted = max(1, replicas or 1)
            if ready is not None and ready < wanted:
                yield live_words.stable_not_ready(part, ready, wanted)


def _ready(cluster: Cluster, namespace: str, name: str) -> int | None:
    """Pods of a Deployment that can take requests; None where there is no telling."""
    match cluster.get("apps/v1", "Deployment", namespace, name):
        case Absent():
            return 0
        case Found(deployment):
            return int((deployment.get("status") or {}).get("availableReplicas") or 0)
        case _:
            return None
