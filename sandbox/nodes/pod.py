"""One pod on one node, from its start to its end, as a kubelet has it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.nodes import volumes
from sandbox.nodes.container import Container, now
from sandbox.nodes.host import Host
from sandbox.nodes.launch import Launch, Place, Ports, Role, launch
from sandbox.nodes.placed import PlacedPod
from sandbox.nodes.reporter import Reporter
from sandbox.nodes.status import Status, container_status, done_status, is_sidecar, pod_status

log = logging.getLogger("pod")

POLL_SECONDS = 0.5
LAST_SECONDS = 2.0
"""What containers get after SIGTERM when preStop took all of the grace period, as with a kubelet."""


class Pod(PlacedPod):
    """A pod that is played.

    Args:
        manifest: as the API server has it.
        host: what all pods share.
        ip: its address.
        host_ip: that of its node.
    """

    def __init__(self, manifest: Mapping[str, Any], host: Host, ip: str, host_ip: str) -> None:
        super().__init__(manifest, ip, host_ip)
        self.relay = host.tools.bin / "relay"
        self.initialized = False
        self._host = host
        self._ports = Ports(host.free_port)
        self._values: Mapping[tuple[str, str, str], str] = {}
        self._done: list[Status] = []
        self._reporter = Reporter(host, manifest, self._status)
        self._tasks: list[asyncio.Task[None]] = []
        self._end: asyncio.Task[None] | None = None
        self._deadline = float("inf")
        before = self.statuses
        self.sidecars = [self._container(spec, before) for spec in self._specs("initContainers") if is_sidecar(spec)]
        self.containers = [self._container(spec, before) for spec in self._specs("containers")]

    @property
    def all_containers(self) -> list[Container]:
        """Sidecars, then the others."""
        return [*self.sidecars, *self.containers]

    @property
    def ready(self) -> bool:
        """Whether all containers are ready."""
        return self.initialized and all(c.ready for c in self.all_containers)

    @property
    def private_ports(self) -> dict[int, int]:
        """Private port by container port."""
        return dict(self._ports.by_port)

    @property
    def _folder(self) -> Path:
        return self._host.folder / self.uid

    def _specs(self, kind: str) -> list[Mapping[str, Any]]:
        return self.manifest["spec"].get(kind) or []

    def _container(self, spec: Mapping[str, Any], before: Mapping[str, Status]) -> Container:
        """A container; one that ran under an earlier agent ended with it, and counts as restarted."""
        grace = float(self.manifest["spec"].get("terminationGracePeriodSeconds") or 30)
        log_file = self._host.logs / f"{self.namespace}.{self.name}.{spec['name']}.log"
        made = Container(spec, self.ip, self, log_file, grace)
        if old := before.get(spec["name"]):
            ran = old["state"].get("running")
            unknown = {"exitCode": 137, "reason": "ContainerStatusUnknown", "finishedAt": now()}
            made.restarts = old.get("restartCount", 0) + bool(ran)
            made.last_state = {"terminated": {**unknown, **ran}} if ran else old.get("lastState") or {}
        return made

    # --- what its containers ask ----------------------------------------------------------------------------------------

    def launch(self, container: Mapping[str, Any]) -> Launch:
        """The process that stands for a container."""
        place = Place(
            name=self.name,
            namespace=self.namespace,
            ip=self.ip,
            folder=self._folder,
            paths=volumes.paths(container, self._folder / "volumes"),
            kubeconfig=self._folder / "kubeconfig",
            ports=self._ports,
        )
        env = volumes.environment(container, self.manifest, self.ip, self._values)
        return launch(container, env, place, self._host.tools, self._host.settings.now.server_of(self.labels))

    def private(self, port: int) -> int:
        """The private port of a container port."""
        return self._ports.private(port)

    def held(self, role: Role) -> bool:
        """Whether a fault keeps it from loading."""
        return self._host.faults.holds(self.labels, role)

    def began(self, container: Container) -> None:
        """A run of a container began: a standing fault may end it soon."""
        self._host.faults.began(self.labels, container)

    def changed(self) -> None:
        """Something that the status shows has changed."""
        self._reporter.changed()
        self._host.changed()

    # --- its life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._task(self._reporter.run())
        self._task(self._run())

    def _task(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _run(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.changed()
        while reason := await self._missing():
            self._show_waiting(reason)
            await asyncio.sleep(POLL_SECONDS)
        for spec in self._specs("initContainers"):
            if not is_sidecar(spec):
                self._done.append(done_status(spec, now()))
                continue
            sidecar = next(c for c in self.sidecars if c.name == spec["name"])
            self._task(sidecar.run())
            while not sidecar.started:
                await asyncio.sleep(0.05)
        self.initialized = True
        for container in self.containers:
            self._task(container.run())
        self.changed()

    async def _missing(self) -> str:
        """Why no container can start yet; empty when volumes, environment and the service account's token are there."""
        found = self._host.config_maps.of(self.namespace)
        if absent := volumes.missing(self.manifest, found):
            return f"configmap {absent[0]} not found"
        volumes.write(self.manifest, self._folder / "volumes", found)
        try:
            self._values = await self._host.values(self.manifest)
            for container in self.all_containers:
                volumes.environment(container.spec, self.manifest, self.ip, self._values)
            if any(c.role == "picker" for c in self.containers):
                await self._host.write_kubeconfig(self.manifest, self._folder)
        except Exception as e:  # whatever it is, the pod waits for it and says so
            return f"{type(e).__name__}: {e}"
        return ""

    def _show_waiting(self, reason: str) -> None:
        waiting = {"waiting": {"reason": "ContainerCreating", "message": reason}}
        if any(c.state != waiting for c in self.all_containers):
            log.info("%s waits: %s", self.name, reason)
            for container in self.all_containers:
                container.state = waiting
            self.changed()

    def config_map_changed(self, name: str) -> None:
        """Bring a changed ConfigMap into the volumes."""
        if name in volumes.config_maps(self.manifest) and self._folder.exists():
            volumes.write(self.manifest, self._folder / "volumes", self._host.config_maps.of(self.namespace))

    def _status(self, manifest: Mapping[str, Any]) -> Status:
        init = [*self._done, *(container_status(c, self.uid) for c in self.sidecars)]
        containers = [container_status(c, self.uid) for c in self.containers]
        return pod_status(manifest, self.ip, self.host_ip, init, containers, initialized=self.initialized, at=now())

    # --- its end --------------------------------------------------------------------------------------------------------

    def terminate(self, manifest: Mapping[str, Any]) -> None:
        """End it as the deletion says; a second, shorter deletion shortens it."""
        grace = float(manifest["metadata"].get("deletionGracePeriodSeconds") or 0)
        self._deadline = min(self._deadline, time.monotonic() + grace)
        if self._end is None:
            log.info("%s ends within %g s", self.name, grace)
            self._end = asyncio.create_task(self._terminate())
        elif grace <= LAST_SECONDS:
            self._kill()

    async def _terminate(self) -> None:
        await asyncio.gather(*(asyncio.sleep(min(seconds, self._left())) for seconds in self._pre_stops()))
        await asyncio.gather(*(c.stop(max(LAST_SECONDS, self._left())) for c in self.containers))
        for sidecar in reversed(self.sidecars):
            await sidecar.stop(max(LAST_SECONDS, self._left()))
        await self._forget()
        await self._host.remove(self)

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _pre_stops(self) -> list[float]:
        """Seconds that each container sleeps before SIGTERM; other preStop hooks count as done at once."""
        most = self._host.settings.now.pre_stop_seconds
        hooks = [(c.spec.get("lifecycle") or {}).get("preStop") or {} for c in self.containers]
        sleeps = [float((hook.get("sleep") or {}).get("seconds") or 0) for hook in hooks]
        return [seconds if most is None else min(seconds, most) for seconds in sleeps]

    async def vanish(self) -> None:
        """Its node, or its object, is gone: end everything at once and tell nobody."""
        if self._end:
            self._end.cancel()
        await self._forget()

    async def _forget(self) -> None:
        """Stop what runs for it here, and remove its files."""
        self._kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill(self) -> None:
        for container in self.all_containers:
            container.abandon()
