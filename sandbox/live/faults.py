"""What can go wrong in the middle of a rollout, on purpose: each fault by its name, and how it is made and ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from inference_rollouts.plan import ModelServiceArgs
from sandbox import control
from sandbox.apply.kubectl import Kubectl
from sandbox.files import borrowed
from sandbox.gateway.files import GatewayFiles, read_json, write_json
from sandbox.home import Home, SandboxError
from sandbox.live.deployer import Deployer
from sandbox.nodes import faults as nodes

VERSION_LABEL = "inference-rollouts/version"

Where = Literal["before", "during", "standing"]
"""While the canary is built, during a raise, or while it stands at its rung."""


@dataclass(frozen=True)
class Scene:
    """Where a fault strikes.

    Attributes:
        deployer: of the stack.
        service: as planned at the rung.
        stable, canary: versions.
    """

    deployer: Deployer
    service: ModelServiceArgs
    stable: str
    canary: str

    @property
    def home(self) -> Home:
        """Of the sandbox."""
        return self.deployer.home

    def pool(self, version: str) -> str:
        """Name of a version's InferencePool."""
        return next(v.pool_name for v in self.service.versions if v.name == version)

    def node_pool(self, version: str) -> str:
        """Name of a version's node pool."""
        nodes = next(v.nodes for v in self.service.versions if v.name == version)
        return nodes.name if nodes else ""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: as `--fault` takes it.
        words: what it is.
        where: when it strikes.
        strike: makes it; what it yields lasts until the context ends.
        refuses: whether the next raise must be refused while it lasts, as soon as the cluster knows.
        known: whether the cluster's own status tells it; None where no status does.
    """

    name: str
    words: str
    where: Where
    strike: Callable[[Scene], Any]
    refuses: bool = True
    known: Callable[[Scene], bool] | None = None


def _unavailable(scene: Scene) -> bool:
    """Whether a Deployment of the canary says that replicas are missing."""
    version = next(v for v in scene.service.versions if v.name == scene.canary)
    names = [part.name for part in (version.server, version.picker) if part]
    text = scene.deployer.kubectl.run("get", "deployments", "-n", scene.service.route.namespace, "-o", "json")
    mine = [item for item in json.loads(text)["items"] if item["metadata"]["name"] in names]
    return any(item["status"].get("availableReplicas", 0) < item["spec"]["replicas"] for item in mine)


@contextmanager
def _cleared(scene: Scene) -> Iterator[None]:
    try:
        yield
    finally:
        nodes.clear(scene.home.root)


def _hit(names: Sequence[str]) -> None:
    """Whatever follows would tell nothing where nothing was hit.

    Raises:
        SandboxError: nothing was.
    """
    if not names:
        raise SandboxError("the fault hit nothing: the canary has no servers, picker or nodes of its own that it could strike")


@contextmanager
def _crash(scene: Scene) -> Iterator[None]:
    with _cleared(scene):
        _hit(nodes.crash_servers(scene.home.root, {VERSION_LABEL: scene.canary}, again=True))
        yield


@contextmanager
def _oom(scene: Scene) -> Iterator[None]:
    with _cleared(scene):
        _hit(nodes.oom(scene.home.root, {VERSION_LABEL: scene.canary}, again=True))
        yield


@contextmanager
def _picker(scene: Scene) -> Iterator[None]:
    with _cleared(scene):
        _hit(nodes.kill_picker(scene.home.root, scene.pool(scene.canary), scene.service.route.namespace, again=True))
        yield


@contextmanager
def _vanish(scene: Scene) -> Iterator[None]:
    with _cleared(scene):
        _hit(nodes.vanish_nodes(scene.home.root, scene.node_pool(scene.canary), again=True))
        yield


@contextmanager
def _never_ready(scene: Scene) -> Iterator[None]:
    with _cleared(scene):
        nodes.block_readiness(scene.home.root, {VERSION_LABEL: scene.canary})
        yield


@dataclass(frozen=True)
class _Unlucky(Kubectl):
    """A kubectl whose API server is killed just when it is about to apply, and comes back a moment later."""

    home: Home

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """As it is; nothing answers."""
        control.stop(self.home, "kube-apiserver", signal.SIGKILL)
        try:
            super().apply(*manifests)
        finally:
            control.start(self.home, "kube-apiserver")


@contextmanager
def _api_server(scene: Scene) -> Iterator[None]:
    """Between what the guard asked and what is written."""
    deployer, lucky = scene.deployer, scene.deployer.kubectl
    deployer.kubectl = _Unlucky(lucky.binary, lucky.kubeconfig, scene.home)
    try:
        yield
    finally:
        deployer.kubectl = lucky


@contextmanager
def _by_hand(scene: Scene) -> Iterator[None]:
    """Somebody gives the canary everything, with kubectl."""
    route = scene.service.route
    live = json.loads(scene.deployer.kubectl.run("get", "httproute", route.name, "-n", route.namespace, "-o", "json"))
    rules = live["spec"]["rules"]
    for backend in rules[-1]["backendRefs"]:
        backend["weight"] = 100 if backend["name"] == scene.pool(scene.canary) else 0
    patch = json.dumps({"spec": {"rules": rules}})
    scene.deployer.kubectl.run("patch", "httproute", route.name, "-n", route.namespace, "--type=merge", "-p", patch)
    yield


@contextmanager
def _slow_gateway(scene: Scene) -> Iterator[None]:
    path = GatewayFiles(scene.home).settings
    known = read_json(path)
    with borrowed(path):
        write_json(path, {**(known if isinstance(known, dict) else {}), "statusDelay": 60})
        yield


@contextmanager
def _nothing(_: Scene) -> Iterator[None]:
    yield


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("servers-crash", "the canary's servers crash, again and again", "standing", _crash, known=_unavailable),
        Fault("out-of-memory", "the canary's servers run out of memory, again and again", "standing", _oom, known=_unavailable),
        Fault("picker-dies", "the canary's endpoint picker dies and stays down", "standing", _picker, known=_unavailable),
        Fault("nodes-vanish", "the canary's nodes vanish, and the cloud has no others", "standing", _vanish, known=_unavailable),
        Fault("never-ready", "the canary's servers never finish loading", "before", _never_ready),
        Fault("api-server", "the API server is killed in the middle of an update", "during", _api_server, refuses=False),
        Fault("killed", "the update is killed right after it wrote the route", "during", _nothing, refuses=False),
        Fault("by-hand", "somebody edits the route by hand, to 0/100", "standing", _by_hand),
        Fault("slow-gateway", "the gateway takes 60 s to publish a status", "standing", _slow_gateway, refuses=False),
    )
}


def killed_after_the_route(scene: Scene, step: Any, file: str) -> int:
    """Runs an update in a process that kills itself (-9) as soon as the route is written; its exit code."""
    command = [sys.executable, "-m", "sandbox.live.killed", str(scene.deployer.project), file, str(step), scene.service.name]
    return subprocess.run(command, check=False, capture_output=True).returncode
