"""From what is deployed and what the program registered to the operations of a preview, by the rules of `engine_rules`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from inference_rollouts import wording
from inference_rollouts.rehearsal import engine_rules as rules
from inference_rollouts.rehearsal.recording import Recording, Registration

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
        urn: the resource's URN.
        cuts: whether the engine stops here and shows nothing after it: a hook has refused.
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
    cuts: bool = False

    @property
    def kind(self) -> str:
        """Last part of the type token: `HTTPRoute`."""
        return self.type.rpartition(":")[2]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, for programs."""
        return {
            "op": self.op,
            "type": self.type,
            "name": self.name,
            "object": self.object,
            "protected": self.protected,
            "diff": list(self.diff),
            "reason": "\n".join(self.reasons) or None,
        }

    @property
    def title(self) -> str:
        """Kind and object name, as a person says it."""
        return f"{self.kind} {self.object or self.name}"


@dataclass(frozen=True)
class Deployed:
    """One resource in state.

    Attributes:
        registration: as it was last registered.
        init_errors: whether it did not become ready: the engine updates and awaits it at every update.
    """

    registration: Registration
    init_errors: bool = False


State = Mapping[str, Deployed]
"""What is deployed, by URN."""


@dataclass(frozen=True)
class Preview:
    """The operations, and the state that an update would leave; a refused one leaves the old state."""

    operations: tuple[Operation, ...]
    state: State

    @property
    def refusals(self) -> tuple[str, ...]:
        """Every reason for which something is refused."""
        return tuple(reason for o in self.operations if o.op == "refuse" for reason in o.reasons)


def state_of(recording: Recording) -> dict[str, Deployed]:
    """The state after everything that was registered has been created."""
    return {urn: Deployed(registration) for urn, registration in recording.resources.items()}


def preview(old: State, recording: Recording) -> Preview:
    """What `pulumi preview` would show. To be called while the program's hooks can still be called.

    Raises:
        engine_rules.CannotModel: where there is no rule.
    """
    rules.refuse_duplicates(recording)
    wanted = recording.resources
    operations: list[Operation] = []
    for urn in rules.creation_order({u: rules.needs(r) for u, r in wanted.items()}):
        operations.append(_step(wanted[urn], old, recording))
        if operations[-1].cuts:
            # A hook's error cancels at once, previews too (deploy/step_executor.go:435): no deletes are shown either.
            return Preview(tuple(operations), old)
    operations += _deletions(old, wanted)
    return Preview(tuple(operations), _after(old, wanted, operations))


def _step(wanted: Registration, state: State, recording: Recording) -> Operation:
    deployed = state.get(wanted.urn)
    rules.refuse_unmodelled(wanted, may_be_renamed=deployed is None and not recording.resources.keys() >= state.keys())
    if deployed is None:
        return _operation("create", wanted)
    old = deployed.registration
    rules.refuse_other_provider(old, wanted)
    paths = rules.without_ignored(rules.changed_paths(old.inputs, wanted.inputs), wanted.ignore_changes)
    provider = recording.resources.get(wanted.provider)
    replacing = rules.replacing_paths(wanted, paths, provider.inputs if provider else {}) if paths else []
    if replacing:
        return _replacement(wanted, old, paths, replacing, recording)
    if paths or rules.must_update_again(deployed.init_errors):
        return _update(wanted, old, paths, recording)
    return _operation("same", wanted, old, _protection(old, wanted))


def _protection(old: Registration, wanted: Registration) -> list[str]:
    return ["protect"] if old.protect != wanted.protect else []


def _replacement(
    wanted: Registration, old: Registration, paths: list[str], replacing: list[str], recording: Recording
) -> Operation:
    if rules.blocks_replace(old.protect, wanted.protect):
        refused = _operation("refuse", wanted, old, paths)
        return replace(refused, reasons=(wording.protected_replace(refused.kind, refused.object or refused.name, replacing),))
    replaced = _operation("replace", wanted, old, paths + _protection(old, wanted))
    if not rules.deletes_first(old, wanted):
        return replaced
    rules.refuse_dragged(wanted, recording.resources)
    return replace(replaced, reasons=(rules.DELETED_FIRST,))


def _update(wanted: Registration, old: Registration, paths: list[str], recording: Recording) -> Operation:
    """An update asks the hooks first, also one that only waits again (deploy/step.go:956, UpdateStep.Apply)."""
    asked = [hook for hook in wanted.before_update if rules.asked_in_preview(recording.hooks[hook])]
    errors = [recording.call_hook(hook, wanted, old.inputs) for hook in asked]
    reasons = tuple(line for error in errors for line in error.splitlines())
    if reasons:
        return replace(_operation("refuse", wanted, old, paths), reasons=reasons, cuts=True)
    again = () if paths else (wording.updated_again(),)
    return replace(_operation("update", wanted, old, paths + _protection(old, wanted)), reasons=again)


def _operation(op: Op, wanted: Registration, old: Registration | None = None, diff: Sequence[str] = ()) -> Operation:
    values = tuple((value_at(old.inputs, path), value_at(wanted.inputs, path)) for path in diff) if old else ()
    return Operation(op, wanted.type, wanted.name, object_of(wanted), wanted.protect, tuple(diff), (), values, wanted.urn)


def object_of(registration: Registration) -> str | None:
    """The physical name."""
    if not registration.custom or registration.type.startswith(rules.PROVIDER):
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
    gone = {urn: rules.needs(deployed.registration) for urn, deployed in old.items() if urn not in wanted}
    return [_deletion(old[urn].registration) for urn in reversed(rules.creation_order(gone))]


def _deletion(registration: Registration) -> Operation:
    operation = _operation("delete", registration)
    if not rules.blocks_delete(registration.protect):
        return operation
    reason = wording.protected_delete(operation.kind, operation.object or operation.name)
    return replace(operation, op="refuse", reasons=(reason,))


def _after(old: State, wanted: Mapping[str, Registration], operations: Sequence[Operation]) -> State:
    """What the update leaves. What did not become ready stays so: only a live cluster could say otherwise."""
    if any(operation.op == "refuse" for operation in operations):
        return old
    replaced = {operation.urn for operation in operations if operation.op == "replace"}
    waiting = {urn for urn, deployed in old.items() if deployed.init_errors} - replaced
    return {urn: Deployed(registration, init_errors=urn in waiting) for urn, registration in wanted.items()}


def held_up_by(urn: str, recording: Recording, state: State) -> set[str]:
    """What a resource waits for, directly or not, that has init errors in state: the engine awaits those first.

    Args:
        urn: the resource.
        recording: what the program registers now.
        state: what is deployed.
    """
    seen: set[str] = set()
    queue = [urn]
    while queue:
        new = (rules.needs(recording.resources[queue.pop()]) & recording.resources.keys()) - seen
        seen |= new
        queue += new
    return {u for u in seen if u in state and state[u].init_errors}
