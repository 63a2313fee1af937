"""The autoscaler at work: it looks at the cluster again and again, and does what `autoscaler` decides."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox.nodes.autoscaler import Autoscaler
from sandbox.nodes.host import Host
from sandbox.nodes.kube import KubeError
from sandbox.nodes.kubelet import Kubelet
from sandbox.nodes.pools import POOL_LABEL, size
from sandbox.nodes.provision import NodePools

log = logging.getLogger("autoscaler")

PERIOD = 0.5
"""Seconds between looks; GKE's autoscaler looks every 10 s."""
REPAIR_SECONDS = 5.0
"""From a node's loss to its replacement, where a pool is below its minimum; GKE's auto-repair takes minutes."""


async def scale_for_ever(kubelet: Kubelet, host: Host) -> None:
    """Never returns; an API server that is away only delays it."""
    pools = NodePools(host.kube)
    autoscaler = Autoscaler(host.settings.now.idle_seconds)
    trouble, patience = "", Patience()
    while True:
        await asyncio.sleep(PERIOD)
        autoscaler.idle_seconds = host.settings.now.idle_seconds
        try:
            await _once(kubelet, host, pools, autoscaler, patience)
            trouble = ""
        except (KubeError, ValueError, TimeoutError) as e:
            if str(e) != trouble:
                log.info("%s", e)
            trouble = str(e)


@dataclass
class Patience:
    """Waits until a pool has been below its minimum for a while: whoever creates it is given time to."""

    _since: dict[str, float] = field(default_factory=dict)

    def over(self, pools: Iterable[str]) -> list[str]:
        """Those of the pools that have been named for so long."""
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name in pools}
        return [name for name, since in self._since.items() if now - since >= REPAIR_SECONDS]


async def _once(kubelet: Kubelet, host: Host, pools: NodePools, autoscaler: Autoscaler, patience: Patience) -> None:
    if not any(POOL_LABEL in n["metadata"].get("labels", {}) for n in kubelet.nodes.values()) and not kubelet.objects:
        return
    known = await asyncio.to_thread(pools.read)
    below = patience.over(p.name for p in known.values() if p.stock and _standing(kubelet, p.name) < size(p.inputs).min)
    decision = autoscaler.decide(known.values(), list(kubelet.nodes.values()), list(kubelet.objects.values()), time.monotonic())
    grow = [*decision.grow, *below]
    if grow:
        await asyncio.sleep(host.settings.now.provision_seconds)
    for name in grow:
        await asyncio.to_thread(pools.grow, known[name])
    if grow:
        await asyncio.sleep(PERIOD)  # until the watch has told of them
    if decision.shrink:
        log.info("idle: %s", ", ".join(decision.shrink))
        await asyncio.to_thread(pools.drain, list(decision.shrink))


def _standing(kubelet: Kubelet, pool: str) -> int:
    return sum(n["metadata"].get("labels", {}).get(POOL_LABEL) == pool for n in kubelet.nodes.values())
