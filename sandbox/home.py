"""Where a running sandbox keeps its things, and what it says of itself."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from sandbox import files, process

Gateways = Literal["gke", "istio"]

MARKER = ("kube-system", "inference-rollouts-sandbox")
"""Namespace and name of the ConfigMap that says: this cluster is a sandbox, and which one."""


class SandboxError(Exception):
    """The sandbox is not as it should be. The text is one sentence, or several: what, why, what to do."""


def cache() -> Path:
    """Where the package keeps what it builds: $XDG_CACHE_HOME/inference-rollouts, else below ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inference-rollouts"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Loopback ports, the same inside the sandbox and outside."""

    apiserver: int
    gateway: int
    prometheus: int


@dataclass(frozen=True, kw_only=True)
class State:
    """One sandbox, from `up` to `down`.

    Attributes:
        id: made anew by each `up`; the cluster's marker holds it too.
        gateway: which gateway it has.
        rootless: its namespaces belong to a user namespace.
        ports: what listens where.
        pid, started: of the supervisor, as seen from outside; 0 and empty until it runs.
    """

    id: str
    gateway: Gateways
    rootless: bool
    ports: Ports
    pid: int = 0
    started: str = ""

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs: that very process, not another with its number."""
        return bool(self.pid) and process.started(self.pid) == self.started

    def running_as(self, pid: int) -> State:
        """The same sandbox, with the process that supervises it."""
        return replace(self, pid=pid, started=process.started(pid) or "")


@dataclass(frozen=True)
class Home:
    """The folder of a sandbox. One home, one sandbox.

    Attributes:
        root: the folder; `ROLLOUT_SANDBOX_HOME` names another than the usual one.
    """

    root: Path

    @classmethod
    def default(cls) -> Home:
        """$ROLLOUT_SANDBOX_HOME, else ~/.cache/inference-rollouts/sandbox."""
        named = os.environ.get("ROLLOUT_SANDBOX_HOME")
        return cls(Path(named).expanduser().absolute() if named else cache() / "sandbox")

    @cached_property
    def kubeconfig(self) -> Path:
        """For kubectl and all others, inside and outside."""
        return self.root / "kubeconfig"

    @cached_property
    def kube_cache(self) -> Path:
        """What kubectl has learned of the API server; below the sandbox's folder, so that it goes with it."""
        return self.root / "kube-cache"

    @cached_property
    def state_file(self) -> Path:
        """What `State` says, as JSON."""
        return self.root / "state.json"

    @cached_property
    def bin(self) -> Path:
        """Every program of the sandbox by its name: links, and gke-gcloud-auth-plugin."""
        return self.root / "bin"

    @cached_property
    def logs(self) -> Path:
        """One file a part, `<part>.log`; outlives `down`."""
        return self.root / "logs"

    @cached_property
    def reports(self) -> Path:
        """One file a stack, `<stack>.json`, of its last live rehearsal; outlives `down` and the next `up`."""
        return self.root / "reports"

    @cached_property
    def run(self) -> Path:
        """Sockets, and files by which parts say that they are ready: `<part>.ready`."""
        return self.root / "run"

    @cached_property
    def pki(self) -> Path:
        """Certificates, keys and tokens of the API server."""
        return self.root / "pki"

    @cached_property
    def crds(self) -> Path:
        """The CRDs that are applied, in files."""
        return self.root / "crds"

    @cached_property
    def etcd(self) -> Path:
        """etcd's data."""
        return self.root / "etcd"

    @cached_property
    def gateway(self) -> Path:
        """The gateway's files: Envoy's configuration and settings.json."""
        return self.root / "gateway"

    @cached_property
    def prometheus(self) -> Path:
        """Prometheus' configuration, targets and data."""
        return self.root / "prometheus"

    @property
    def lock(self) -> Path:
        """Held by whoever brings this sandbox up or down; beside the folder, since the folder goes."""
        return self.root.with_name(f".{self.root.name}.lock")

    def log(self, part: str) -> Path:
        """The log of a part."""
        return self.logs / f"{part}.log"

    @property
    def socket(self) -> Path:
        """Where the supervisor answers."""
        return self.run / "supervisor"

    def tail(self, part: str, lines: int) -> list[str]:
        """The last lines of a part's log; none when there is no log."""
        try:
            with self.log(part).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - lines * 2000))
                return file.read().decode("utf-8", "replace").splitlines()[-lines:]
        except OSError:
            return []

    def ready_file(self, part: str) -> Path:
        """What a part writes when it is ready, if that is how it says so; removed before each start."""
        return self.run / f"{part}.ready"

    def read(self) -> State | None:
        """The sandbox of this home; None when there is none, or nothing readable."""
        try:
            found = json.loads(self.state_file.read_text("utf-8"))
            return State(ports=Ports(**found.pop("ports")), **found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, state: State) -> None:
        """Keep what `read` reads."""
        files.replace(self.state_file, json.dumps(asdict(state), indent=2) + "\n")

    def running(self) -> State:
        """The sandbox that runs here.

        Raises:
            SandboxError: none does.
        """
        state = self.read()
        if state and state.alive:
            return state
        raise SandboxError(gone(state) if state else "the sandbox is not up; bring it up with: rollout sandbox up")


def is_sandbox(kubeconfig: str, home: Home) -> bool:
    """Whether the cluster of a kubeconfig is the sandbox of a home, and no other cluster: it holds the marker with the same id.

    Args:
        kubeconfig: its text.
        home: of the sandbox.
    """
    from inference_rollouts.observe.cluster import Cluster

    state = home.read()
    found = Cluster(kubeconfig=kubeconfig).get("v1", "ConfigMap", *MARKER)
    marker = getattr(found, "value", None) or {}
    return state is not None and marker.get("data", {}).get("id") == state.id


def gone(state: State) -> str:
    """The sentence for a sandbox that ended without `down`."""
    who = f"its supervisor, process {state.pid}, is gone" if state.pid else "its start did not get as far as a supervisor"
    return f"the sandbox is not up any more ({who}, and all parts with it); rollout sandbox up starts a new one"
