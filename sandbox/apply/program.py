"""Runs the real `__main__.py` against the sandbox: the look-ups answer with its address, and the hooks ask it live."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_rollouts.rehearsal import engine
from inference_rollouts.rehearsal.engine import Preview, State
from inference_rollouts.rehearsal.monitor import Cloud
from inference_rollouts.rehearsal.program import run
from inference_rollouts.rehearsal.recording import Recording
from inference_rollouts.settings import PROJECT


@dataclass(frozen=True)
class Place:
    """Where the sandbox listens.

    Attributes:
        host: host and port of its API server.
        authority: certificate of its CA, base64 of PEM.
        context: its context in the kubeconfig that KUBECONFIG names.
        prometheus: base URL of its Prometheus API; None without one.
    """

    host: str
    authority: str
    context: str
    prometheus: str | None = None


class SandboxCloud(Cloud):
    """Answers that every GKE cluster is the sandbox."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    def call(self, args: Any) -> dict[str, Any]:
        """The one cluster, under its address."""
        certificate = {"clusterCaCertificate": self.place.authority}
        return {**super().call(args), "endpoint": self.place.host, "masterAuths": [certificate]}


def rehearsable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without what would refuse every raise: windows of `freeze`, and `test.required`, since nobody probes here."""
    changed = copy.deepcopy(dict(config))
    for service in changed[f"{PROJECT}:services"].values():
        service.pop("freeze", None)
        test = (service.get("rollout") or {}).get("test") or {}
        test.pop("required", None)
    return changed


WAITS = ("bake", "keep", "settle")


def config_for(config: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The config as in the stack file, but for the way to the cluster and to its metrics, and without times of mere waiting."""
    changed = copy.deepcopy(dict(config))
    for service in changed[f"{PROJECT}:services"].values():
        for block in (service, *(service.get("adapters") or {}).values()):
            if block.get("rollout"):
                block["rollout"] = {key: value for key, value in block["rollout"].items() if key not in WAITS} | {"settle": "0s"}
    cluster = changed[f"{PROJECT}:cluster"]
    if "context" in cluster:
        cluster["context"] = place.context
    else:
        cluster["endpoint"] = "public"
    if place.prometheus:
        changed[f"{PROJECT}:metrics"] = {"url": place.prometheus}
    return changed


@dataclass(frozen=True)
class Program:
    """The program of a project with one stack.

    Attributes:
        project: the folder with Pulumi.yaml.
        stack: the stack's name.
        place: where the sandbox listens.
    """

    project: Path
    stack: str
    place: Place

    def preview(self, config: Mapping[str, Any], state: State) -> Preview:
        """As `pulumi preview`: nothing live is asked."""
        return self._with(config, lambda recording: engine.preview(state, recording), dry=True)

    def up(self, config: Mapping[str, Any], state: State, act: Callable[[Preview, Recording], None]) -> Preview:
        """As `pulumi up`: the hooks ask the cluster, and what nothing refuses is done by `act`."""

        def judged(recording: Recording) -> Preview:
            preview = engine.preview(state, recording)
            if not preview.refusals:
                act(preview, recording)
            return preview

        return self._with(config, judged, dry=False)

    def _with(self, config: Mapping[str, Any], ask: Callable[[Recording], Preview], *, dry: bool) -> Preview:
        answers: list[Preview | Exception] = []

        def at_the_end(recording: Recording) -> None:
            # The SDK would bury an error from here in its own.
            try:
                answers.append(ask(recording))
            except Exception as e:
                answers.append(e)

        run(self.project, self.stack, config_for(config, self.place), at_the_end, preview=dry, cloud=SandboxCloud(self.place))
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]
