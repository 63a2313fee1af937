"""GKE's cluster autoscaler, in its simplest honest form.

A pod that the scheduler calls Unschedulable, and that would fit an empty node of a pool, makes that pool grow, up to its
maximum; several such pods share new nodes. A node without pods goes when it has been idle for a while, down to the minimum.
`decide` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.nodes.pools import POOL_LABEL, Slot, node, size, zones
from sandbox.nodes.provision import Pool, is_ready
from sandbox.nodes.quantities import Resources, of_node, of_pod


@dataclass(frozen=True)
class Decision:
    """What to do now.

    Attributes:
        grow: names of pools, one for each node to add.
        shrink: names of nodes to drain and remove.
    """

    grow: tuple[str, ...] = ()
    shrink: tuple[str, ...] = ()


@dataclass
class Autoscaler:
    """Decides, and remembers since when a node is idle.

    Attributes:
        idle_seconds: how long a node may be idle.
    """

    idle_seconds: float
    _idle_since: dict[str, float] = field(default_factory=dict)

    def decide(self, pools: Iterable[Pool], nodes: Sequence[Any], pods: Sequence[Any], now: float) -> Decision:
        """What to do.

        Args:
            pools: all pools.
            nodes, pods: all objects of the cluster.
            now: monotonic seconds.
        """
        by_pool = {p.name: p for p in pools}
        standing: dict[str, list[Any]] = {name: [] for name in by_pool}
        for found in nodes:
            pool = found["metadata"].get("labels", {}).get(POOL_LABEL)
            if pool in standing:
                standing[pool].append(found)
        grow = _growth(by_pool, standing, [pod for pod in pods if is_unschedulable(pod)])
        return Decision(grow, self._idle(by_pool, standing, pods, now) if not grow else ())

    def _idle(
        self, pools: Mapping[str, Pool], standing: Mapping[str, list[Any]], pods: Sequence[Any], now: float
    ) -> tuple[str, ...]:
        busy = {pod["spec"].get("nodeName") for pod in pods}
        going: list[str] = []
        seen: set[str] = set()
        for name, pool in pools.items():
            spare = len(standing[name]) - size(pool.inputs).min
            for found in reversed(standing[name]):
                node_name = found["metadata"]["name"]
                seen.add(node_name)
                if node_name in busy:
                    self._idle_since.pop(node_name, None)
                elif spare > 0 and now - self._idle_since.setdefault(node_name, now) >= self.idle_seconds:
                    going.append(node_name)
                    spare -= 1
        for gone in self._idle_since.keys() - seen:
            del self._idle_since[gone]
        return tuple(going)


def is_unschedulable(pod: Any) -> bool:
    """Whether the scheduler found no node for it."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    said = any(c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable" for c in conditions)
    return said and not pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]


def _growth(pools: Mapping[str, Pool], standing: Mapping[str, list[Any]], waiting: Iterable[Any]) -> tuple[str, ...]:
    """Pools to grow by a node each. Nodes that are not Ready yet count as room that is on its way."""
    coming: list[tuple[Any, Resources]] = [(n, of_node(n)) for ns in standing.values() for n in ns if not is_ready(n)]
    grow: list[str] = []
    for pod in waiting:
        need = of_pod(pod)
        place = next((i for i, (n, room) in enumerate(coming) if accepts(n, pod) and need.fits(room)), None)
        if place is None:
            pool = next((p for p in pools.values() if _would_take(p, pod) and _may_grow(p, standing, grow)), None)
            if pool is None:
                continue
            grow.append(pool.name)
            blank = _blank(pool)
            coming.append((blank, of_node(blank)))
            place = len(coming) - 1
        found, room = coming[place]
        coming[place] = (found, room - need)
    return tuple(grow)


def _may_grow(pool: Pool, standing: Mapping[str, list[Any]], grow: Sequence[str]) -> bool:
    scaled = bool(pool.inputs.get("autoscaling"))
    return scaled and pool.stock and len(standing[pool.name]) + grow.count(pool.name) < size(pool.inputs).max


def _would_take(pool: Pool, pod: Any) -> bool:
    blank = _blank(pool)
    return accepts(blank, pod) and of_pod(pod).fits(of_node(blank))


def _blank(pool: Pool) -> Any:
    return node(pool.inputs, Slot(zones(pool.inputs)[0], 0, 1))


def accepts(found: Any, pod: Any) -> bool:
    """Whether a pod's nodeSelector and tolerations let it onto a node; nothing else of the scheduler's is looked at."""
    labels = found["metadata"].get("labels") or {}
    selected = all(labels.get(key) == value for key, value in (pod["spec"].get("nodeSelector") or {}).items())
    hard = [t for t in found["spec"].get("taints") or () if t["effect"] != "PreferNoSchedule" and "not-ready" not in t["key"]]
    return selected and all(any(_tolerates(t, taint) for t in pod["spec"].get("tolerations") or ()) for taint in hard)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")
