"""A stack for drivers to move: the rehearsal's model of the engine, with a state, a lock, live objects, and faults by script.

`up` runs the project's real program and its real hooks, as the rehearsal does, and then applies the operations one after the
other: so it can fail, be cancelled or be killed between any two of them, and leaves what the engine would leave.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inference_rollouts.drive.engine import EngineFailure, Locked, OnOperation, Update
from inference_rollouts.drive.state import Deployed, read_state
from inference_rollouts.rehearsal.engine import Deployed as InState
from inference_rollouts.rehearsal.engine import Operation, preview
from inference_rollouts.rehearsal.program import Recording, run
from inference_rollouts.rehearsal.recording import Registration
from inference_rollouts.settings.stack_file import read

LOCK = (
    "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with "
    "`pulumi cancel`.\n  file:///state/.pulumi/locks/organization/inference-rollouts/prod/1.json: "
    "created by ci@runner-7 (pid 285)"
)
PENDING = {"create": "creating", "update": "updating", "replace": "creating", "delete": "deleting"}
VERDICTS: dict[str, tuple[tuple[Operation, ...], Mapping[str, Registration]]] = {}
"""Previews that were made before, by config and state: the program and its hooks answer the same again."""


class Killed(BaseException):
    """The runner is gone: no handler of it runs any more."""


@dataclass
class ScriptedStack:
    """One stack.

    Attributes:
        project: the folder with Pulumi.yaml and the program.
        name: the stack.
        file: its stack file.
        tick: called at every point where a runner can die.
        fails: the type or name of an object whose operation fails, to the reason.
        silent: whether hooks are asked as in a preview, so that nothing live is asked.
        on_change: told of the live objects whenever an update has written one.
    """

    project: Path
    name: str
    file: Path
    tick: Callable[[str], None] = lambda _: None
    fails: dict[str, str] = field(default_factory=dict)
    silent: bool = True
    on_change: Callable[[Mapping[str, Any]], None] = lambda _: None
    state: dict[str, InState] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    pending: list[dict[str, Any]] = field(default_factory=list)
    lock: str | None = None
    interrupted: bool = False
    asked: list[str] = field(default_factory=list)
    previewed: list[Path] = field(default_factory=list)

    # --- as an engine -------------------------------------------------------------------------------------------------

    def deployed(self) -> Deployed:
        return read_state(self.export())

    def preview(self, config: Path) -> Update:
        self.asked.append("preview")
        self.tick("preview")
        operations, _ = self._verdict(config, dry_run=True)
        return _update(operations)

    def up(self, message: str, on_operation: OnOperation, config: Path | None = None) -> Update:
        self.asked.append(f"up: {message}")
        self.tick("before up")
        if self.lock:
            return Update("locked", (), tuple(self.lock.splitlines()))
        self.lock, self.interrupted = LOCK, False
        operations, wanted = self._verdict(config or self.file, dry_run=self.silent)
        found = _update(operations)
        if found.done:
            # What a create began and nobody saw end stays until somebody decides; all else goes with the next update.
            self.pending = [p for p in self.pending if p["type"] == "creating"]
            found = self._apply(operations, wanted, on_operation)
        self.tick("after up")
        self.lock = None
        return found

    def refresh(self, urns: Sequence[str], *, clear_pending_creates: bool) -> None:
        self.asked.append(f"refresh {len(urns)}{', clear' if clear_pending_creates else ''}")
        self.tick("refresh")
        if self.lock:
            raise Locked(self.lock)
        for urn in urns:
            if urn not in self.live:  # what is gone leaves the state
                del self.state[urn], self.outputs[urn]
                continue
            deployed = self.state[urn]
            self.outputs[urn] = copy.deepcopy(self.live[urn])
            self.state[urn] = replace(deployed, registration=replace(deployed.registration, inputs=self.live[urn]))
        self.pending = [p for p in self.pending if p["type"] == "creating" and not clear_pending_creates]

    def cancel(self) -> None:
        self.asked.append("cancel")
        self.tick("cancel")
        self.lock = None

    def backup(self, path: Path) -> None:
        self.asked.append("backup")
        if path.exists():
            raise EngineFailure(f"{path} is there already")
        path.write_text(json.dumps(self.export()), "utf-8")

    # --- the model ----------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """Bring the file to the cluster, whatever is asked of a driver."""
        found = self.up("first", lambda _: None)
        assert found.done, found.reasons
        self.asked.clear()

    def export(self) -> dict[str, Any]:
        """As `pulumi stack export` prints it."""
        resources = [_resource(deployed.registration, self.outputs.get(urn, {})) for urn, deployed in self.state.items()]
        return {"version": 3, "deployment": {"resources": resources, "pending_operations": copy.deepcopy(self.pending)}}

    def _verdict(self, config: Path, *, dry_run: bool) -> tuple[tuple[Operation, ...], Mapping[str, Registration]]:
        keys = read(config).config
        state = {urn: [d.registration.inputs, d.registration.protect, d.init_errors] for urn, d in self.state.items()}
        key = json.dumps([str(self.project / "__main__.py"), keys, state, dry_run], sort_keys=True)
        if key not in VERDICTS or not dry_run:
            found: list[tuple[tuple[Operation, ...], Mapping[str, Registration]]] = []

            def ask(recording: Recording) -> None:
                found.append((preview(self.state, recording).operations, recording.resources))

            run(self.project, self.name, keys, ask, preview=dry_run)
            VERDICTS[key] = found[0]
        return VERDICTS[key]

    def _apply(self, operations: Sequence[Operation], wanted: Mapping[str, Registration], on_operation: OnOperation) -> Update:
        for operation in operations:
            if operation.op == "same":
                self.state[operation.urn] = InState(wanted[operation.urn])
                continue
            if self.interrupted:
                return Update("cancelled", tuple(operations), ("error: update canceled",))
            on_operation(operation)
            known = wanted.get(operation.urn) or self.state[operation.urn].registration
            begun = {"type": PENDING[operation.op], "resource": {"urn": operation.urn, "type": operation.type}}
            self.pending.append(begun)
            self.tick(f"begins {operation.title}")
            if reason := self.fails.get(operation.kind) or self.fails.get(operation.name):
                self.pending.remove(begun)
                return Update("failed", tuple(operations), (f"{operation.title}: {reason}",))
            self._write(operation, known)
            self.tick(f"wrote {operation.title}")
            self.pending.remove(begun)
            if operation.op == "delete":
                del self.state[operation.urn]
            else:
                self.state[operation.urn] = InState(known)
                self.outputs[operation.urn] = dict(known.inputs)
            self.tick(f"ended {operation.title}")
        return Update("done", tuple(operations))

    def _write(self, operation: Operation, known: Registration) -> None:
        """In the cluster, not yet in the state."""
        if operation.op == "delete":
            self.live.pop(operation.urn, None)
        else:
            self.live[operation.urn] = copy.deepcopy(dict(known.inputs))
        self.on_change(self.live)

    def interrupt(self) -> None:
        self.interrupted = True

    @property
    def weights(self) -> dict[str, int]:
        """Of the live route."""
        (route,) = (value for urn, value in self.live.items() if ":HTTPRoute::" in urn)
        return {backend["name"]: backend["weight"] for backend in route["spec"]["rules"][-1]["backendRefs"]}


def _update(operations: tuple[Operation, ...]) -> Update:
    reasons = tuple(reason for o in operations if o.op == "refuse" for reason in o.reasons)
    return Update("refused" if reasons else "done", operations, reasons)


def _resource(registration: Registration, outputs: Any) -> dict[str, Any]:
    return {
        "urn": registration.urn,
        "type": registration.type,
        "custom": registration.custom,
        "inputs": dict(registration.inputs),
        "outputs": outputs,
        "protect": registration.protect,
    }
