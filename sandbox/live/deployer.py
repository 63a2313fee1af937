"""One stack on the sandbox: previews and updates of its real program, with the state between them."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from inference_rollouts.observe.cluster import Cluster
from inference_rollouts.rehearsal.engine import Operation, Preview
from sandbox.apply.kubectl import Kubectl
from sandbox.apply.program import Place, Program
from sandbox.apply.state import StateFile
from sandbox.apply.update import Step, Update, UpdateFailed
from sandbox.enter import environment
from sandbox.home import Home, SandboxError, is_sandbox
from sandbox.nodes.kube import Kube
from sandbox.nodes.provision import NodePools


@dataclass(frozen=True)
class Applied:
    """What came of one update.

    Attributes:
        preview: what it was to do; its refusals, if there are any, are why it did nothing.
        steps: what was done.
        error: why it ended half-way; empty for none.
        began, ended: seconds since 1970.
    """

    preview: Preview
    steps: tuple[Step, ...]
    error: str
    began: float
    ended: float

    @property
    def done(self) -> bool:
        """Whether everything was done."""
        return not self.preview.refusals and not self.error

    def began_writing(self, kind: str) -> float | None:
        """When the last object of a kind was begun to be written, in seconds since 1970; None where none was."""
        times = [step.began for step in self.steps if step.operation.kind == kind and not step.error]
        return max(times) + time.time() - time.monotonic() if times else None


@dataclass
class Deployer:
    """Deploys one stack.

    Attributes:
        home: of the sandbox, which must be up.
        project: the folder with Pulumi.yaml.
        stack: its name.
        patience: seconds that an update waits at most for one resource.
        wrote: called when something was written.
    """

    home: Home
    project: Path
    stack: str
    patience: float = 120.0
    wrote: Callable[[Step], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        _use(self.home)
        place = place_of(self.home)
        self.program = Program(self.project, self.stack, place)
        self.state = StateFile(self.home.root / "stacks" / f"{self.stack}.json")
        self.kubectl = Kubectl(str(self.home.bin / "kubectl"), self.home.kubeconfig)
        self.cluster = Cluster(kubeconfig=self.home.kubeconfig.read_text("utf-8"))
        self.pools = NodePools(Kube(self.home.kubeconfig))

    def preview(self, config: Mapping[str, Any]) -> Preview:
        """As `pulumi preview`."""
        return self.program.preview(config, self.state.read())

    def up(self, config: Mapping[str, Any]) -> Applied:
        """As `pulumi up`: the guard asks the cluster first; what is refused, and what fails, is told and not raised."""
        began = time.time()
        steps: list[Step] = []
        errors: list[str] = []

        def act(preview: Preview, recording: Any) -> None:
            update = Update(self.kubectl, self.cluster, self.pools, self.state, self.patience, wrote=self.wrote)
            try:
                steps.extend(update.run(preview, recording))
            except UpdateFailed as e:
                steps.extend(e.steps)
                errors.append(str(e))

        preview = self.program.up(config, self.state.read(), act)
        return Applied(preview, tuple(steps), "\n".join(errors), began, time.time())

    def destroy(self) -> None:
        """Take everything of the stack away, newest first, as `pulumi destroy`; protection does not count here."""
        state = self.state.read()
        update = Update(self.kubectl, self.cluster, self.pools, self.state, self.patience, wrote=self.wrote)
        operations = [
            Operation("delete", deployed.registration.type, deployed.registration.name, None, protected=False, urn=urn)
            for urn, deployed in reversed(state.items())
        ]
        update.delete_all(operations)


def place_of(home: Home) -> Place:
    """Where the sandbox of a home listens."""
    state = home.running()
    kubeconfig = yaml.safe_load(home.kubeconfig.read_text("utf-8"))
    cluster = kubeconfig["clusters"][0]["cluster"]
    authority = cluster.get("certificate-authority-data")
    if authority is None:
        authority = base64.b64encode(Path(cluster["certificate-authority"]).read_bytes()).decode()
    host = cluster["server"].removeprefix("https://")
    return Place(host, authority, kubeconfig["current-context"], f"http://127.0.0.1:{state.ports.prometheus}")


def _use(home: Home) -> None:
    """The program's own way to the cluster leads to the sandbox, and to nothing else.

    Raises:
        SandboxError: the sandbox is not up, or what answers is no sandbox.
    """
    home.running()
    if not is_sandbox(home.kubeconfig.read_text("utf-8"), home):
        raise SandboxError(f"the cluster of {home.kubeconfig} is not the sandbox of {home.root}: nothing is done to it")
    os.environ.update(environment(home))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
