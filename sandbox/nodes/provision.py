"""The cloud's hands: creates and removes the Nodes of node pools, and remembers which pools there are.

The record is a ConfigMap, so that it lives and dies with the cluster. The agent's autoscaler reads it too.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox.nodes.kube import MERGE, Kube, KubeError, Object
from sandbox.nodes.pools import POOL_LABEL, Slot, free_slot, node, size

log = logging.getLogger("nodes")

NAMESPACE, RECORD = "kube-system", "sandbox-node-pools"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
NODES = "/api/v1/nodes"
LAST = "last-network"
DRAIN_SECONDS = 600.0
"""How long a deletion waits for pods at most; GKE gives disruption budgets an hour."""
POLL_SECONDS = 0.2
CONFLICT = 409


@dataclass(frozen=True)
class Pool:
    """One node pool that stands.

    Attributes:
        inputs: of its registration.
        stock: whether the cloud has machines for it; without stock it does not grow.
    """

    inputs: Mapping[str, Any]
    stock: bool = True

    @property
    def name(self) -> str:
        """Its name in GKE."""
        return self.inputs["name"]


@dataclass
class NodePools:
    """All node pools of one cluster.

    Attributes:
        kube: the cluster.
        ready_seconds: how long a new node may take to be Ready.
    """

    kube: Kube
    ready_seconds: float = 30.0
    drain_seconds: float = DRAIN_SECONDS

    def apply(self, inputs: Mapping[str, Any]) -> None:
        """Create a pool, or bring one that stands to other inputs; returns when its nodes are Ready.

        As on GKE, size and limits change in place; nodes that stand keep their labels, machine and accelerators.

        Raises:
            KubeError: the API server said no.
            ValueError: the inputs cannot be played.
            TimeoutError: nodes did not become Ready.
        """
        known = self.read().get(inputs["name"])
        wanted = replace(known, inputs=inputs) if known else Pool(inputs)
        node(inputs, free_slot(inputs, (), (), 0))  # refuses what it cannot play before anything is written
        self.write(wanted)
        limits = size(inputs)
        names = [n["metadata"]["name"] for n in self.nodes(wanted.name)]
        least = limits.initial if known is None else limits.min
        for _ in range(least - len(names)):
            names.append(self.grow(wanted))
        if len(names) > limits.max:
            self.drain(names[limits.max :])
            names = names[: limits.max]
        self._await_ready(names)

    def delete(self, inputs: Mapping[str, Any]) -> None:
        """Remove a pool: its nodes are drained, within what disruption budgets allow where the pool says so, then deleted."""
        name = inputs["name"]
        standing = [n["metadata"]["name"] for n in self.nodes(name)]
        self.write(Pool({**inputs, "autoscaling": None, "nodeCount": 0}, stock=False))
        respect = any(c.get("respectPdbDuringNodePoolDeletion") for c in inputs.get("nodeDrainConfigs") or ())
        self.drain(standing, respect_budgets=respect)
        self.kube.patch(f"{CONFIG_MAPS}/{RECORD}", {"data": {name: None}}, MERGE)

    def read(self) -> dict[str, Pool]:
        """The pools that stand, by name."""
        return {name: Pool(**json.loads(text)) for name, text in self._data().items() if name != LAST}

    def write(self, pool: Pool) -> None:
        """Remember a pool as it is now."""
        self._save({pool.name: json.dumps({"inputs": dict(pool.inputs), "stock": pool.stock})})

    def nodes(self, pool: str | None = None) -> list[Object]:
        """The Nodes of one pool, or all, oldest first."""
        query = {"labelSelector": f"{POOL_LABEL}={pool}"} if pool else {}
        found = self.kube.get(NODES, **query)["items"]
        return sorted(found, key=lambda n: (n["metadata"]["creationTimestamp"], n["metadata"]["name"]))

    def grow(self, pool: Pool) -> str:
        """Add one node; its name. Others may add nodes at the same time: whoever comes second looks for another place."""
        while True:
            record = self._read_record()
            manifest = node(pool.inputs, self._slot(pool, record))
            try:
                self._reserve(manifest, record)
                self.kube.create(NODES, manifest)
            except KubeError as e:
                if e.status != CONFLICT:
                    raise
                continue
            log.info("node %s", manifest["metadata"]["name"])
            return manifest["metadata"]["name"]

    def _slot(self, pool: Pool, record: Object) -> Slot:
        standing = self.nodes()
        names = [n["metadata"]["name"] for n in standing]
        networks = [_network(n) for n in standing if n["spec"].get("podCIDR")]
        return free_slot(pool.inputs, names, networks, int((record.get("data") or {}).get(LAST, "0")))

    def _reserve(self, manifest: Object, record: Object) -> None:
        """Write down that a network is given out, unless the record has changed since it was read."""
        version = {"resourceVersion": record["metadata"]["resourceVersion"]}
        self.kube.patch(f"{CONFIG_MAPS}/{RECORD}", {"metadata": version, "data": {LAST: str(_network(manifest))}}, MERGE)

    def drain(self, names: list[str], *, respect_budgets: bool = True) -> None:
        """Cordon, evict, and delete nodes; pods that stay longer than `drain_seconds` go with their node."""
        for name in names:
            self._quietly("PATCH", f"{NODES}/{name}", {"spec": {"unschedulable": True}}, {"Content-Type": MERGE})
        deadline = time.monotonic() + self.drain_seconds
        while time.monotonic() < deadline:
            left = [pod for name in names for pod in self._pods_on(name)]
            if not left:
                break
            for pod in left:
                if "deletionTimestamp" not in pod["metadata"]:
                    self._evict(pod, respect_budgets)
            time.sleep(POLL_SECONDS)
        for name in names:
            self.kube.delete(f"{NODES}/{name}")
            log.info("node %s deleted", name)

    def _evict(self, pod: Object, respect_budgets: bool) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if respect_budgets:
            named = {"name": meta["name"], "namespace": meta["namespace"]}
            # 429: a disruption budget says not now.
            self._quietly("POST", f"{path}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": named})
        else:
            self.kube.delete(path, uid=meta["uid"])

    def _quietly(self, method: str, path: str, body: Object, headers: Mapping[str, str] | None = None) -> None:
        try:
            self.kube.request(method, path, body, headers)
        except KubeError as e:
            if e.status not in (404, 429):
                raise

    def _pods_on(self, name: str) -> list[Object]:
        return self.kube.get("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")["items"]

    def _await_ready(self, names: list[str]) -> None:
        deadline = time.monotonic() + self.ready_seconds
        while missing := set(names) - {n["metadata"]["name"] for n in self.nodes() if is_ready(n)}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nodes did not become Ready: {', '.join(sorted(missing))}")
            time.sleep(POLL_SECONDS)

    def _data(self) -> dict[str, str]:
        return self._read_record().get("data") or {}

    def _read_record(self) -> Object:
        try:
            return self.kube.get(f"{CONFIG_MAPS}/{RECORD}")
        except KubeError as e:
            if e.status == 404:
                return {}
            raise

    def _save(self, data: Mapping[str, str]) -> None:
        try:
            self.kube.patch(f"{CONFIG_MAPS}/{RECORD}", {"data": dict(data)}, MERGE)
        except KubeError as e:
            if e.status != 404:
                raise
            meta = {"name": RECORD, "namespace": NAMESPACE}
            self.kube.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(data)})


def _network(found: Object) -> int:
    """The third byte of its pods' addresses."""
    return int(found["spec"]["podCIDR"].split(".")[2])


def is_ready(found: Object) -> bool:
    """Whether a Node is Ready."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
