"""From what is deployed and what the program registered to the operations of a preview, by the rules of `engine_rules`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from inference_rollouts import wording
from inference_rollouts.rehearsal import engine_rules as rules
from inference_rollouts.rehearsal.program import Recording, Registration

Op = Literal["create", "update", "replace", "delete", "same", "refuse"]


@dataclass(frozen=True)
class Operation:
    """One line of a preview.

    Attributes:
        op: what happens.
        type: Pulumi type token.
        name: logical name.
        object: physical name, None for components.
        protected: whether it is protected afterwards (for a deletion: is in state).
        diff: paths that change; `protect` for the protection.
        reasons: why it is refused, or why it happens without a diff.
        values: old and new value of each changed path, for display.
    """

    op: Op
    type: str
    name: str
    object: str | None
    protected: bool
    diff: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    values: tuple[tuple[Any, Any], ...] = ()
    urn: str = ""

    @property
    def kind(self) -> str:
        """Last part of the type token: `HTTPRoute`."""
        return self.type.rpartition(":")[2]

    @property
    def title(self) -> str:
        """Kind and object name, as a person says it."""
        return f"{self.kind} {self.object or self.name}"


@dataclass(frozen=True)
class Deployed:
    """One resource in state."""

    registration: Registration
    init_errors: bool = False


State = Mapping[str, Deployed]


@dataclass(frozen=True)
class Preview:
    """The operations, and the state that an update would leave; a refused one leaves the old state."""

    operations: tuple[Operation, ...]
    state: State

    @property
    def refusals(self) -> tuple[str, ...]:
        """Every reason for which something is refused."""
        return tuple(reason for o in self.operations if o.op == "refuse" for reason in o.reasons)


AskHook = Callable[[str, Registration, Mapping[str, Any]], str]


def state_of(recording: Recording) -> dict[str, Deployed]:
    """The state after everything that was registered has been created."""
    return {urn: Deployed(registration) for urn, registration in recording.resources.items()}


def preview(old: State, recording: Recording) -> Preview:
    """What `pulumi preview` would show. To be called while the program's hooks can still be called."""
    operations: list[Operation] = []
    wanted = recording.resources
    for urn in rules.creation_order({u: _needs(r) for u, r in wanted.items()}):
        operation = _step(wanted[urn], old.get(urn), recording)
        operations.append(operation)
        if operation.op == "refuse" and wanted[urn].before_update and operation.diff == ():
            # A hook's error cancels at once, previews too (deploy/step_executor.go:435): nothing after it is shown.
            return Preview(tuple(operations), old)
    operations += _deletions(old, wanted)
    state = _after(old, wanted) if not any(o.op == "refuse" for o in operations) else old
    return Preview(tuple(operations), state)


def _needs(registration: Registration) -> set[str]:
    return {registration.parent, registration.provider, *registration.dependencies} - {""}


def _step(wanted: Registration, deployed: Deployed | None, recording: Recording) -> Operation:
    rules.refuse_unmodelled(wanted)
    if deployed is None:
        return _operation("create", wanted)
    old = deployed.registration
    paths = rules.without_ignored(rules.changed_paths(old.inputs, wanted.inputs), wanted.ignore_changes)
    protection = ["protect"] if old.protect != wanted.protect else []
    if not paths and not rules.must_update_again(deployed.init_errors):
        return _operation("same", wanted, old, protection)
    provider = recording.resources.get(wanted.provider)
    replacing = rules.replacing_paths(wanted, paths, provider.inputs if provider else {})
    if replacing and rules.blocks_replace(old.protect, wanted.protect):
        refused = _operation("refuse", wanted, old, paths)
        return replace(refused, reasons=(wording.protected_replace(refused.kind, refused.object or refused.name, replacing),))
    if replacing:
        return _operation("replace", wanted, old, paths + protection)
    errors = [recording.call_hook(hook, wanted, old.inputs) for hook in wanted.before_update] if paths else []
    reasons = tuple(line for error in errors if error for line in error.splitlines())
    if reasons:
        return replace(_operation("refuse", wanted), reasons=reasons)
    again = (wording.updated_again(),) if not paths else ()
    return replace(_operation("update", wanted, old, paths + protection), reasons=again)


def _operation(op: Op, wanted: Registration, old: Registration | None = None, diff: Sequence[str] = ()) -> Operation:
    values = tuple((value_at(old.inputs, path), value_at(wanted.inputs, path)) for path in diff) if old else ()
    return Operation(op, wanted.type, wanted.name, object_of(wanted), wanted.protect, tuple(diff), (), values, wanted.urn)


def object_of(registration: Registration) -> str | None:
    """The physical name."""
    if not registration.custom or registration.type.startswith("pulumi:providers:"):
        return None
    inputs = registration.inputs
    return (inputs.get("metadata") or {}).get("name") or inputs.get("name")


def value_at(inputs: Any, path: str) -> Any:
    """The value at a path of `changed_paths`; None where there is none."""
    for quoted, index, key in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        if index:
            inputs = inputs[int(index)] if isinstance(inputs, list) and int(index) < len(inputs) else None
        else:
            inputs = inputs.get(quoted or key) if isinstance(inputs, Mapping) else None
    return inputs


def _deletions(old: State, wanted: Mapping[str, Registration]) -> list[Operation]:
    """Deletes come last, dependants first."""
    gone = {urn: _needs(d.registration) for urn, d in old.items() if urn not in wanted}
    operations = []
    for urn in reversed(rules.creation_order(gone)):
        registration = old[urn].registration
        operation = _operation("delete", registration)
        if rules.blocks_delete(registration.protect):
            reason = wording.protected_delete(operation.kind, operation.object or operation.name)
            operation = replace(operation, op="refuse", reasons=(reason,))
        operations.append(operation)
    return operations


def _after(old: State, wanted: Mapping[str, Registration]) -> dict[str, Deployed]:
    return {urn: Deployed(registration, init_errors=urn in old and old[urn].init_errors) for urn, registration in wanted.items()}


def held_up_by(urn: str, recording: Recording, state: State) -> set[str]:
    """What this resource waits for that has init errors in state: the engine retries and awaits those first."""
    seen: set[str] = set()
    queue = [urn]
    while queue:
        for needed in _needs(recording.resources[queue.pop()]):
            if needed in recording.resources and needed not in seen:
                seen.add(needed)
                queue.append(needed)
    return {u for u in seen if u in state and state[u].init_errors}
