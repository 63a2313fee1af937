"""What the agent does when a fault is asked for: see `faults` for what they mean."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.nodes.host import Host
from sandbox.nodes.kubelet import Kubelet
from sandbox.nodes.launch import Role
from sandbox.nodes.pools import POOL_LABEL
from sandbox.nodes.provision import NODES, NodePools
from sandbox.nodes.standing import REASONS, Kind, Standing, matches

POOLS = "/apis/inference.networking.k8s.io/v1/namespaces/{namespace}/inferencepools/{name}"


class Faulting:
    """Does what `faults` asks for."""

    def __init__(self, kubelet: Kubelet, host: Host) -> None:
        self._kubelet, self._host = kubelet, host

    async def handle(self, request: Mapping[str, Any]) -> list[str]:
        """One request; the names of what was hit.

        Raises:
            ValueError: there is no such fault.
        """
        match request["do"]:
            case "kill":
                return self._kill(request["kind"], request["role"], request["selector"], request["again"], request["after"])
            case "kill-picker":
                selector = await asyncio.to_thread(self._picker_selector, request["namespace"], request["pool"])
                return self._kill("crash", "picker", selector, request["again"], 0.0)
            case "vanish":
                return await self._vanish(request["pool"], request["again"])
            case "block":
                self._host.faults.add(Standing("block", request["selector"], "server"))
                return [pod.name for pod in self._kubelet.pods.values() if matches(request["selector"], pod.labels)]
            case "clear":
                return await self._clear()
        raise ValueError(f"there is no fault {request['do']}")

    def _kill(self, kind: Kind, role: Role, selector: Mapping[str, str], again: bool, after: float) -> list[str]:
        if again:
            self._host.faults.add(Standing(kind, selector, role, after))
        hit = []
        for pod in self._kubelet.pods.values():
            found = [c for c in pod.all_containers if c.role == role] if matches(selector, pod.labels) else []
            for container in found:
                container.kill(REASONS[kind])
            hit += [pod.name] if found else []
        return sorted(hit)

    def _picker_selector(self, namespace: str, name: str) -> dict[str, str]:
        """Labels of a pool's pickers: those that its picker's Service selects."""
        pool = self._host.kube.get(POOLS.format(namespace=namespace, name=name))
        service = pool["spec"]["endpointPickerRef"]["name"]
        return self._host.kube.get(f"/api/v1/namespaces/{namespace}/services/{service}")["spec"]["selector"]

    async def _vanish(self, name: str, again: bool) -> list[str]:
        pools = NodePools(self._host.kube)
        pool = (await asyncio.to_thread(pools.read)).get(name)
        if again and pool:
            await asyncio.to_thread(pools.write, replace(pool, stock=False))
        nodes = [n["metadata"] for n in self._kubelet.nodes.values() if n["metadata"]["labels"].get(POOL_LABEL) == name]
        for node in nodes:
            self._kubelet.lose_node(node["name"])
        for node in nodes:
            await asyncio.to_thread(self._host.kube.delete, f"{NODES}/{node['name']}")
        return sorted(node["name"] for node in nodes)

    async def _clear(self) -> list[str]:
        cleared = [f"{fault.kind} {dict(fault.selector)}" for fault in self._host.faults]
        self._host.faults.clear()
        for pod in self._kubelet.pods.values():
            for container in pod.all_containers:
                container.retry()
        pools = NodePools(self._host.kube)
        for pool in (await asyncio.to_thread(pools.read)).values():
            if not pool.stock:
                await asyncio.to_thread(pools.write, replace(pool, stock=True))
                cleared.append(f"no machines for {pool.name}")
        return cleared
