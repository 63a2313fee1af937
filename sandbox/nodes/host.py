"""What all pods share: the API server, the programs, settings, ports, faults."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.nodes.ipam import Addresses
from sandbox.nodes.kube import Kube, KubeError
from sandbox.nodes.launch import Tools
from sandbox.nodes.settings import SettingsFile
from sandbox.nodes.standing import Faults

if TYPE_CHECKING:
    from sandbox.nodes.pod import Pod

Object = dict[str, Any]

FIRST_PORT, LAST_PORT = 20000, 30000
"""Private ports: below those that Linux gives to outgoing connections."""
TOKEN_SECONDS = 7 * 24 * 3600


class ConfigMaps:
    """All ConfigMaps, as a watch delivers them."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Object] = {}

    def take(self, event: str, found: Object) -> None:
        """One event of the watch."""
        key = (found["metadata"]["namespace"], found["metadata"]["name"])
        if event == "DELETED":
            self._found.pop(key, None)
        else:
            self._found[key] = found

    def of(self, namespace: str) -> dict[str, Object]:
        """Those of a namespace, by name."""
        return {name: found for (where, name), found in self._found.items() if where == namespace}


@dataclass
class Host:
    """The machine on which all pods of the sandbox run.

    Attributes:
        kube: the API server.
        kubeconfig: the agent's own.
        folder: holds a folder for each pod, by UID.
        logs: for the containers' output.
        tools: what there is to run.
        changed: called when something about a pod changed.
        removed: called when a pod has ended and its object is gone.
    """

    kube: Kube
    kubeconfig: Path
    folder: Path
    logs: Path
    tools: Tools
    settings: SettingsFile
    faults: Faults
    changed: Callable[[], None] = lambda: None
    removed: Callable[[str], None] = lambda _: None
    config_maps: ConfigMaps = field(default_factory=ConfigMaps)
    addresses: Addresses = field(default_factory=Addresses)
    _ports: Any = field(default_factory=lambda: itertools.cycle(range(FIRST_PORT, LAST_PORT)))

    def free_port(self) -> int:
        """A loopback port on which nothing listens."""
        while True:
            port = next(self._ports)
            with socket.socket() as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    trial.bind(("", port))
                except OSError:
                    continue
                return port

    async def patch_status(self, pod: Mapping[str, Any], status: Mapping[str, Any]) -> Object:
        """Write a pod's status; the pod as it is then. It waits while the API server is away."""
        path = f"{path_of(pod)}/status"
        # With its UID, so that it meets no other pod of that name.
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        return await asyncio.to_thread(self.kube.patiently, lambda: self.kube.patch(path, body))

    async def remove(self, pod: Pod) -> None:
        """Delete the object of a pod that has ended; then its address is free."""
        await self.remove_object(pod.manifest)
        self.removed(pod.uid)

    async def remove_object(self, pod: Mapping[str, Any]) -> None:
        """Delete the object of a pod of which nothing ran here."""
        path, uid = path_of(pod), pod["metadata"]["uid"]
        await asyncio.to_thread(self.kube.patiently, lambda: self.kube.delete(path, uid=uid, grace=0), float("inf"))
        self.addresses.free(uid)

    async def values(self, pod: Mapping[str, Any]) -> dict[tuple[str, str, str], str]:
        """What a pod's environment takes from Secrets and ConfigMaps; what is missing is left out."""
        namespace = pod["metadata"]["namespace"]
        found: dict[tuple[str, str, str], str] = {}
        for kind, name, key in _references(pod):
            if kind == "secretKeyRef":
                data = await asyncio.to_thread(self._secret, namespace, name)
                text = base64.b64decode(data[key]).decode() if key in data else None
            else:
                text = (self.config_maps.of(namespace).get(name, {}).get("data") or {}).get(key)
            if text is not None:
                found[kind, name, key] = text
        return found

    def _secret(self, namespace: str, name: str) -> Mapping[str, str]:
        try:
            return self.kube.get(f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data") or {}
        except KubeError as e:
            if e.status == 404:
                return {}
            raise

    async def write_kubeconfig(self, pod: Mapping[str, Any], folder: Path) -> None:
        """A kubeconfig with a token of the pod's own service account, bound to the pod: its rights are those of its Roles."""
        meta, account = pod["metadata"], pod["spec"].get("serviceAccountName") or "default"
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
        bound = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS, "boundObjectRef": bound},
        }
        answer = await asyncio.to_thread(self.kube.create, path, request)
        content = self.kube.kubeconfig_with(answer["status"]["token"], meta["namespace"])
        target = folder / "kubeconfig"
        target.write_text(json.dumps(content), "utf-8")
        target.chmod(0o600)


def path_of(pod: Mapping[str, Any]) -> str:
    """A pod's path in the API."""
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


def _references(pod: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    containers = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    sources = [item["valueFrom"] for c in containers for item in c.get("env") or () if item.get("valueFrom")]
    return {
        (kind, ref.get("name", ""), ref.get("key", ""))
        for source in sources
        for kind, ref in source.items()
        if kind in ("secretKeyRef", "configMapKeyRef")
    }
