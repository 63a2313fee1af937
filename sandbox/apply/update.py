"""An update: what a preview found, done on the cluster. Each resource as soon as what it needs is there; deletions last.

The order is the engine's (deploy/step_executor.go): a resource waits for what it depends on, and for nothing else, so that a
server that never becomes ready holds up no route. After a failure nothing new begins, and what is under way ends. The state
is written after every step: an update that was killed is continued by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from inference_rollouts.observe.cluster import Cluster, Found
from inference_rollouts.rehearsal import engine_rules as rules
from inference_rollouts.rehearsal.engine import Deployed, Operation, Preview
from inference_rollouts.rehearsal.recording import Recording, Registration
from sandbox.apply import waits
from sandbox.apply.kubectl import Kubectl, KubectlError
from sandbox.apply.state import StateFile

POLL_SECONDS = 0.1
WRITING = ("create", "update", "replace")


class NodePools(Protocol):
    """Who plays the cloud for node pools."""

    def apply(self, inputs: Mapping[str, Any]) -> None:
        """Bring the nodes of a pool to what its arguments say."""
        ...

    def delete(self, inputs: Mapping[str, Any]) -> None:
        """Take a pool and its nodes away."""
        ...


@dataclass(frozen=True)
class Step:
    """One thing that was done.

    Attributes:
        operation: as in the preview.
        began, written, ready: when (seconds of `time.monotonic`) it was begun, written, and there.
        error: why it failed; empty for none.
        waited_for: what was missing last before it was there; empty where nothing was.
    """

    operation: Operation
    began: float
    written: float
    ready: float
    error: str = ""
    waited_for: str = ""


class UpdateFailed(Exception):
    """An update ended half-way. Its text names every resource that failed, and why."""

    def __init__(self, steps: list[Step]) -> None:
        super().__init__("\n".join(f"{step.operation.title}: {step.error}" for step in steps if step.error))
        self.steps = steps


@dataclass
class Update:
    """One update of one stack.

    Attributes:
        kubectl: writes.
        cluster: reads.
        pools: plays the cloud.
        state: of the stack; written after every step.
        patience: seconds that are waited at most for one resource; what Pulumi would wait may be more.
        told: called after every step.
        wrote: called when something was written, before it is awaited and before the state knows of it.
    """

    kubectl: Kubectl
    cluster: Cluster
    pools: NodePools
    state: StateFile
    patience: float = waits.DEFAULT_TIMEOUT
    told: Callable[[Step], None] = lambda _: None
    wrote: Callable[[Step], None] = lambda _: None
    _steps: list[Step] = field(default_factory=list, init=False)

    def run(self, preview: Preview, recording: Recording) -> list[Step]:
        """Do it.

        Raises:
            UpdateFailed: when something failed; the state holds what was done.
        """
        self._steps = []
        state = self.state.read()
        wanted = recording.resources
        todo = {o.urn: o for o in preview.operations if o.op in WRITING}
        # What stays keeps its inputs, and takes over a changed protection.
        for operation in preview.operations:
            if operation.op == "same":
                state[operation.urn] = Deployed(wanted[operation.urn])
        self.state.write(state)
        self._write_all(todo, wanted, state)
        self._fail_if_any()
        return self.delete_all([o for o in preview.operations if o.op == "delete"])

    def delete_all(self, operations: Sequence[Operation]) -> list[Step]:
        """Delete resources, in this order.

        Raises:
            UpdateFailed: when one could not be deleted.
        """
        state = self.state.read()
        for operation in operations:
            self._delete(operation, state)
        self._fail_if_any()
        return self._steps

    def _fail_if_any(self) -> None:
        if any(step.error for step in self._steps):
            raise UpdateFailed(self._steps)

    def _write_all(self, todo: Mapping[str, Operation], wanted: Mapping[str, Registration], state: dict[str, Deployed]) -> None:
        waiting = dict(todo)
        under_way: dict[Future[Step], str] = {}
        with ThreadPoolExecutor(16) as threads:
            while waiting or under_way:
                if not any(step.error for step in self._steps):
                    unfinished = {*waiting, *under_way.values()}
                    ready = [urn for urn in waiting if not rules.needs(wanted[urn]) & unfinished]
                    for step in self._write([waiting.pop(urn) for urn in ready], wanted, state):
                        under_way[threads.submit(self._await, step, wanted[step.operation.urn])] = step.operation.urn
                elif not under_way:
                    return
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    self._record(future.result(), wanted[under_way.pop(future)], state)

    def _write(
        self, operations: list[Operation], wanted: Mapping[str, Registration], state: Mapping[str, Deployed]
    ) -> Iterator[Step]:
        """Write some resources; all objects of them in one call of kubectl, since each costs a process."""
        began = time.monotonic()
        objects = [o for o in operations if _is_object(wanted[o.urn])]
        errors = self._apply(objects, wanted, state)
        written = time.monotonic()
        for operation in operations:
            error = errors[operation.urn] if operation in objects else self._pool(operation, wanted[operation.urn], state)
            step = Step(operation, began, written, written, error)
            self.wrote(step)
            yield step

    def _apply(
        self, operations: list[Operation], wanted: Mapping[str, Registration], state: Mapping[str, Deployed]
    ) -> dict[str, str]:
        """What failed of the objects, by URN; when the call for all of them fails, each is tried alone to say which."""
        try:
            for operation in operations:
                if operation.op == "replace":
                    self.kubectl.delete(state[operation.urn].registration.inputs, self.patience)
            if operations:
                self.kubectl.apply(*(wanted[o.urn].inputs for o in operations))
        except KubectlError as e:
            if len(operations) == 1:
                return {operations[0].urn: str(e)}
            return {urn: error for o in operations for urn, error in self._apply([o], wanted, state).items()}
        return {o.urn: "" for o in operations}

    def _pool(self, operation: Operation, wanted: Registration, state: Mapping[str, Deployed]) -> str:
        if wanted.type != rules.NODE_POOL:
            return ""
        try:
            if operation.op == "replace":
                self.pools.delete(state[operation.urn].registration.inputs)
            self.pools.apply(wanted.inputs)
        except Exception as e:  # a stand-in of another package: whatever it raises is why the step failed
            return f"{type(e).__name__}: {e}"
        return ""

    def _await(self, step: Step, wanted: Registration) -> Step:
        if step.error or not _is_object(wanted) or not waits.is_awaited(wanted.inputs):
            return step
        manifest = wanted.inputs
        meta = manifest["metadata"]
        deadline = step.written + min(waits.timeout_of(manifest), self.patience)
        missing, waited_for = "nothing was read", ""
        while time.monotonic() < deadline:
            answer = self.cluster.get(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])
            missing = waits.missing(manifest, answer.value) if isinstance(answer, Found) else str(answer)
            if not missing:
                return Step(step.operation, step.began, step.written, time.monotonic(), waited_for=waited_for)
            waited_for = missing
            time.sleep(POLL_SECONDS)
        return Step(step.operation, step.began, step.written, time.monotonic(), f"not ready in time: {missing}")

    def _record(self, step: Step, wanted: Registration, state: dict[str, Deployed]) -> None:
        """A resource that was written and did not become ready is in state with an init error, as the engine has it."""
        written = not step.error or step.error.startswith("not ready")
        if written:
            state[wanted.urn] = Deployed(wanted, init_errors=bool(step.error))
            self.state.write(state)
        self._steps.append(step)
        self.told(step)

    def _delete(self, operation: Operation, state: dict[str, Deployed]) -> None:
        began = time.monotonic()
        registration = state[operation.urn].registration
        error = ""
        try:
            if registration.type == rules.NODE_POOL:
                self.pools.delete(registration.inputs)
            elif _is_object(registration):
                self.kubectl.delete(registration.inputs, self.patience)
        except Exception as e:  # as above
            error = str(e) or type(e).__name__
        if not error:
            del state[operation.urn]
            self.state.write(state)
        now = time.monotonic()
        self._steps.append(Step(operation, began, now, now, error))
        self.told(self._steps[-1])


def _is_object(registration: Registration) -> bool:
    return registration.custom and registration.type.startswith("kubernetes:")
