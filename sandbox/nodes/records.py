"""What the agent writes down: HOME/nodes/pods.json for people and tests, and Prometheus' targets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sandbox import files
from sandbox.nodes.host import Host, Object
from sandbox.nodes.kubelet import Kubelet
from sandbox.nodes.pod import Pod
from sandbox.nodes.provision import NAMESPACE, RECORD
from sandbox.nodes.targets import targets

SECONDS = 0.2
"""Changes within this time are written at once."""


class Records:
    """Writes files when something has changed.

    Args:
        root: HOME.
        prometheus: folder of targets.json.
    """

    def __init__(self, root: Path, prometheus: Path, kubelet: Kubelet, host: Host) -> None:
        self._pods_file, self._targets_file = pods_file(root), prometheus / "targets.json"
        self._kubelet, self._host = kubelet, host
        self._monitorings: dict[str, Object] = {}
        self._changed = asyncio.Event()
        self._changed.set()
        host.changed = self._changed.set

    def take_monitoring(self, event: str, found: Object) -> None:
        """A PodMonitoring came, changed or went."""
        if event == "SYNCED":
            return
        uid = found["metadata"]["uid"]
        if event == "DELETED":
            self._monitorings.pop(uid, None)
        else:
            self._monitorings[uid] = found
        self._changed.set()

    async def write_for_ever(self) -> None:
        """Never returns."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            pods = list(self._kubelet.pods.values())
            _replace(self._pods_file, {"pods": {f"{pod.namespace}/{pod.name}": _row(pod) for pod in pods}})
            _replace(self._targets_file, targets(pods, list(self._monitorings.values()), self._place()))
            await asyncio.sleep(SECONDS)

    def _place(self) -> dict[str, str]:
        """Cluster, location and project as the node pools' inputs name them."""
        data = self._host.config_maps.of(NAMESPACE).get(RECORD, {}).get("data") or {}
        for name, text in data.items():
            inputs = json.loads(text)["inputs"] if name != "last-network" else {}
            if inputs.get("cluster"):
                named = {"cluster": inputs["cluster"], "location": inputs.get("location"), "project_id": inputs.get("project")}
                return {key: value for key, value in named.items() if value}
        return {}


def pods_file(root: Path) -> Path:
    """Where the pods are written down: pods.<namespace>/<name> with uid, node, ip, ready, labels and containers."""
    return root / "nodes" / "pods.json"


def _row(pod: Pod) -> dict[str, Any]:
    containers = {
        c.name: {
            "role": c.role,
            "pid": c.process.pid if c.process else None,
            "state": next(iter(c.state)),
            "ready": c.ready,
            "restarts": c.restarts,
        }
        for c in pod.all_containers
    }
    return {
        "uid": pod.uid,
        "node": pod.node,
        "ip": pod.ip,
        "ready": pod.ready,
        "labels": dict(pod.labels),
        "ports": pod.private_ports,
        "containers": containers,
    }


def _replace(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, json.dumps(content, indent=1))
