"""The kubelets of all nodes in one: which pods are played, from what the watches say."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sandbox.nodes.host import Host, Object
from sandbox.nodes.pod import Pod

log = logging.getLogger("kubelet")

WATCHES = 3
FINAL_PHASES = ("Succeeded", "Failed")


class Kubelet:
    """All pods on all nodes. Everything happens in the loop's thread.

    Attributes:
        nodes: Nodes by name.
        objects: all pods of the cluster by UID, placed or not.
        pods: those that are played, by UID.
        synced: set when all that stood at the start is known.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.nodes: dict[str, Object] = {}
        self.objects: dict[str, Object] = {}
        self.pods: dict[str, Pod] = {}
        self.synced = asyncio.Event()
        self._lists: set[str] = set()
        self._lost: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        host.removed = self._removed

    # --- what the watches deliver ---------------------------------------------------------------------------------------

    def take_config_map(self, event: str, found: Object) -> None:
        """A ConfigMap came, changed or went."""
        if event == "SYNCED":
            self._listed("configmaps")
            return
        self.host.config_maps.take(event, found)
        meta = found["metadata"]
        delay = self.host.settings.now.config_map_seconds
        for pod in self.pods.values():
            if pod.namespace == meta["namespace"] and event == "MODIFIED":
                asyncio.get_running_loop().call_later(delay, pod.config_map_changed, meta["name"])

    def take_node(self, event: str, found: Object) -> None:
        """A Node came, changed or went; with it goes what runs on it."""
        if event == "SYNCED":
            self._listed("nodes")
            return
        name = found["metadata"]["name"]
        if event == "DELETED":
            self.nodes.pop(name, None)
            self.lose_node(name)
            return
        is_new = name not in self.nodes
        self.nodes[name] = found
        if is_new:
            self._sync_all()

    def take_pod(self, event: str, found: Object) -> None:
        """A pod came, changed or went."""
        if event == "SYNCED":
            self._listed("pods")
            return
        uid = found["metadata"]["uid"]
        if event != "DELETED":
            self.objects[uid] = found
            self._sync(found)
            return
        self.objects.pop(uid, None)
        self._lost.discard(uid)
        if uid in self.pods:
            self._drop(uid)

    def _listed(self, what: str) -> None:
        """A list is through; with the last of them begins the play."""
        if self.synced.is_set():
            return
        self._lists.add(what)
        if len(self._lists) == WATCHES:
            for pod in self.objects.values():
                address = (pod.get("status") or {}).get("podIP")
                if address:
                    self.host.addresses.keep(pod["metadata"]["uid"], address)
            self.synced.set()
            self._sync_all()

    # --- what follows from it -------------------------------------------------------------------------------------------

    def _sync_all(self) -> None:
        for found in list(self.objects.values()):
            self._sync(found)

    def _sync(self, found: Object) -> None:
        """Bring one pod to what its object says."""
        uid, meta = found["metadata"]["uid"], found["metadata"]
        node = self.nodes.get(found["spec"].get("nodeName") or "")
        if not self.synced.is_set() or node is None or uid in self._lost:
            return
        if (found.get("status") or {}).get("phase") in FINAL_PHASES:
            return
        if "deletionTimestamp" in meta:
            # Also one that was never started here: its end is short then.
            self.pods[uid].terminate(found) if uid in self.pods else self._bury(found)
        elif uid in self.pods:
            self.pods[uid].manifest = found  # labels may change
        else:
            self._begin(found, node)

    def _begin(self, found: Object, node: Object) -> None:
        uid = found["metadata"]["uid"]
        host_ip = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        try:
            ip = host_ip if found["spec"].get("hostNetwork") else self.host.addresses.take(uid, node["spec"]["podCIDR"])
        except (KeyError, ValueError) as e:
            log.error("pod %s gets no address on %s: %s", found["metadata"]["name"], node["metadata"]["name"], e)
            return
        pod = self.pods[uid] = Pod(found, self.host, ip, host_ip)
        log.info("pod %s on %s: %s", pod.name, pod.node, ip)
        pod.start()

    def _bury(self, found: Object) -> None:
        """Remove the object of a pod of which nothing runs."""
        uid = found["metadata"]["uid"]
        self._lost.add(uid)
        self._later(self.host.remove_object(found))

    def _removed(self, uid: str) -> None:
        self.pods.pop(uid, None)
        self._lost.add(uid)  # until the watch says so too
        self.host.changed()

    def _drop(self, uid: str) -> None:
        pod = self.pods.pop(uid)
        self.host.addresses.free(uid)
        self._later(pod.vanish())
        self.host.changed()

    def lose_node(self, name: str) -> list[str]:
        """End at once what runs on a node; names of the pods. Their objects are for others to remove."""
        lost = [uid for uid, pod in self.pods.items() if pod.node == name]
        names = [self.pods[uid].name for uid in lost]
        for uid in lost:
            self._lost.add(uid)
            self._drop(uid)
        return names

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end_all(self) -> None:
        """End all processes; objects stay as they are."""
        await asyncio.gather(*(pod.vanish() for pod in list(self.pods.values())), return_exceptions=True)
