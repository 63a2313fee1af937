"""From a container of a pod to the process that stands for it. Pure, but for the ports that are handed out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sandbox.nodes.picker_args import is_legacy, is_picker, picker_command
from sandbox.nodes.server_args import DEFAULT_PORT, is_server, server_command
from sandbox.nodes.settings import ServerSettings

Role = Literal["server", "picker", "sidecar", "pretended"]
Container = Mapping[str, Any]

LEGACY_PICKER = "the sandbox has no endpoint picker of the legacy API v1alpha2; use inferenceApi v1"


@dataclass(frozen=True)
class Tools:
    """The programs and services behind containers.

    Attributes:
        bin: folder with llm-d-inference-sim, epp and relay.
        store: URL of the store of adapters.
    """

    bin: Path
    store: str


@dataclass
class Ports:
    """Private ports of one pod: container port -> where its process listens on the loopback device."""

    free: Callable[[], int]
    by_port: dict[int, int] = field(default_factory=dict)

    def private(self, port: int) -> int:
        """The private port for a container's port: always the same, so that a sidecar finds its server after a restart."""
        if port not in self.by_port:
            self.by_port[port] = self.free()
        return self.by_port[port]


@dataclass(frozen=True)
class Place:
    """Where a container runs.

    Attributes:
        name, namespace, ip: of its pod.
        folder: of the pod, for what it writes.
        paths: mount path of a volume -> folder that holds it.
        kubeconfig: with the token of the pod's service account.
        ports: private ports of the pod.
    """

    name: str
    namespace: str
    ip: str
    folder: Path
    paths: Mapping[str, Path]
    kubeconfig: Path
    ports: Ports


@dataclass(frozen=True)
class Launch:
    """A process that stands for a container.

    Attributes:
        role: what it is; `pretended` is no process at all: the container just runs.
        argv, env: of the process.
        relays: container ports that are relayed from the pod's address to private ports.
        shutdown_timeout: seconds for which a model server may finish requests after SIGTERM; None for what ends by itself.
        load_seconds: until the process is started, while the container runs already.
        refused: why there is no such process; empty when there is one.
    """

    role: Role
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    relays: tuple[int, ...] = ()
    shutdown_timeout: float | None = None
    load_seconds: float = 0.0
    refused: str = ""


def role_of(container: Container) -> Role:
    """What a container is, by its command line."""
    words = _words(container)
    if is_picker(words):
        return "picker"
    if is_server(words):
        return "server"
    return "sidecar" if words and re.search(r"python3?$", words[0]) and len(words) > 1 else "pretended"


def launch(container: Container, env: Mapping[str, str], place: Place, tools: Tools, settings: ServerSettings) -> Launch:
    """The process of a container.

    Args:
        container: from the pod's spec.
        env: its environment, resolved.
        place: where it runs.
        tools: what there is to run.
        settings: of simulated servers.
    """
    role = role_of(container)
    common = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(place.folder),
        "POD_NAME": place.name,
        "POD_NAMESPACE": place.namespace,
        "POD_IP": place.ip,
        **{name: _at_home(value, place) for name, value in env.items()},
    }
    makers = {"server": _server, "picker": _picker, "sidecar": _sidecar}
    maker = makers.get(role)
    return maker(container, common, place, tools, settings) if maker else Launch("pretended")


def _words(container: Container) -> list[str]:
    return [*(container.get("command") or ()), *(container.get("args") or ())]


def _server(container: Container, env: dict[str, str], place: Place, tools: Tools, settings: ServerSettings) -> Launch:
    command = server_command(_words(container))
    argv = (
        str(tools.bin / "llm-d-inference-sim"),
        *command.args,
        "--force-dummy-tokenizer",
        f"--port={place.ports.private(command.port)}",
        f"--time-to-first-token={_milliseconds(settings.first_token_seconds)}",
        f"--inter-token-latency={_milliseconds(settings.token_seconds)}",
    )
    # A simulator keeps hundreds of MB of garbage otherwise, and thirty of them must fit.
    return Launch("server", argv, {"GOGC": "20", **env}, (command.port,), command.shutdown_timeout, settings.load_seconds)


def _milliseconds(seconds: float) -> str:
    return f"{round(1000 * seconds)}ms"


def _picker(container: Container, env: dict[str, str], place: Place, tools: Tools, _: ServerSettings) -> Launch:
    words = _words(container)
    if is_legacy(words):
        return Launch("picker", refused=LEGACY_PICKER)
    command = picker_command([_at_home(word, place) for word in words])
    ports = [f"--{flag}={place.ports.private(port)}" for flag, port in command.ports.items()]
    argv = (str(tools.bin / "epp"), *command.args, *ports)
    return Launch("picker", argv, {**env, "KUBECONFIG": str(place.kubeconfig)}, tuple(command.ports.values()))


def _sidecar(container: Container, env: dict[str, str], place: Place, tools: Tools, _: ServerSettings) -> Launch:
    """A Python script from a volume. What adapter_sync.py reads from its environment is pointed to where things are here."""
    script, *args = (_at_home(word, place) for word in _words(container)[1:])
    folders = {
        "ADAPTERS_FILE": env.get("ADAPTERS_FILE") or _at_home("/etc/adapters/adapters.json", place),
        "ADAPTERS_DIR": env.get("ADAPTERS_DIR") or _at_home("/adapters", place),
    }
    # The server's own address is the pod's in a real one.
    url = env.get("SERVER_URL") or f"http://127.0.0.1:{DEFAULT_PORT}"
    port = int((re.search(r":(\d+)/?$", url) or [0, DEFAULT_PORT])[1])
    own = {
        "SERVER_URL": f"http://127.0.0.1:{place.ports.private(port)}",
        "STATUS_HOST": place.ip,
        "STORAGE_EMULATOR_HOST": tools.store,
        "HF_ENDPOINT": tools.store,
    }
    # -I -S: the standard library and nothing else, as in the server's image.
    return Launch("sidecar", (sys.executable, "-I", "-S", "-u", script, *args), {**env, **folders, **own})


def _at_home(text: str, place: Place) -> str:
    """A path in the container as the one that holds it here; other text as it is."""
    for mount in sorted(place.paths, key=len, reverse=True):
        if text == mount or text.startswith(f"{mount}/"):
            return str(place.paths[mount]) + text[len(mount) :]
    return text
