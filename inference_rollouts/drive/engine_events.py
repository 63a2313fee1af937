"""The engine's events as operations and reasons: the words in which the rehearsal speaks, for what really happens."""

from __future__ import annotations

import re
from typing import Any, Literal

from inference_rollouts.drive.engine import OnOperation
from inference_rollouts.record import whole
from inference_rollouts.rehearsal.engine import Op, Operation, object_of, value_at
from inference_rollouts.rehearsal.recording import STACK_TYPE, Registration

OPS: dict[str, Op] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "delete": "delete",
    "same": "same",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
}
"""Steps of the engine; those that are not here change nothing that is deployed."""

MARKUP = re.compile(r"<\{%.*?%\}>")
"""The engine's colours (sdk/go/common/diag/colors)."""

HOOK = re.compile(r"\A.*?before hook \"[^\"]*\" failed: ", re.DOTALL)
"""What the engine sets before a hook's own words (pkg/resource/deploy/resource_hooks.go)."""

SUMMARY = re.compile(r"\A(update|preview) failed\Z")
"""An error that only says that there were others."""


class Told:
    """Takes the events of one preview or update; called from the Automation API's thread.

    Args:
        on_operation: told of each operation as it begins.
    """

    def __init__(self, on_operation: OnOperation) -> None:
        self._on_operation = on_operation
        self._operations: dict[str, Operation] = {}
        self._reasons: list[str] = []
        self._refused = False
        self.summed_up = False

    def __call__(self, event: Any) -> None:
        """One event."""
        if event.resource_pre_event:
            self._step(event.resource_pre_event.metadata)
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            self._error(event.diagnostic_event.message)
        elif event.policy_event and event.policy_event.enforcement_level == "mandatory":
            self._refused = True
            self._reasons.append(f"policy {event.policy_event.policy_name}: {_plain(event.policy_event.message)}")
        elif event.summary_event:
            self.summed_up = True

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every resource, with what happens to it."""
        return tuple(self._operations.values())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not get through."""
        return tuple(dict.fromkeys(self._reasons))

    @property
    def refused_or_failed(self) -> Literal["refused", "failed"]:
        """Whether a guard or a policy has said no."""
        return "refused" if self._refused else "failed"

    def _step(self, step: Any) -> None:
        op = OPS.get(getattr(step.op, "value", step.op))
        if op is None or step.type == STACK_TYPE:
            return
        known = self._operations.get(step.urn)
        found = _operation(op, step)
        if known is None or known.op != op:
            self._operations[step.urn] = found
            if op != "same":
                self._on_operation(found)

    def _error(self, message: str) -> None:
        text = _plain(message)
        if SUMMARY.fullmatch(text) or not text:
            return
        said = HOOK.sub("", text)
        self._refused = self._refused or said != text
        self._reasons += [line for line in said.splitlines() if line.strip()]


def _plain(message: str) -> str:
    return MARKUP.sub("", message).removeprefix("error: ").strip()


def _operation(op: Op, step: Any) -> Operation:
    old, new = (_registration(step, side) for side in (step.old, step.new))
    shown = new or old
    assert shown is not None, "a step has a side"
    paths: list[str] = sorted(step.detailed_diff or step.diffs or ()) if op in ("update", "replace") else []
    if old and new and op != "replace" and old.protect != new.protect:
        paths.append("protect")
    values = tuple((value_at(old.inputs, path), value_at(new.inputs, path)) for path in paths) if old and new else ()
    return Operation(op, shown.type, shown.name, object_of(shown), shown.protect, tuple(paths), (), values, step.urn)


def _registration(step: Any, side: Any) -> Registration | None:
    if side is None:
        return None
    return Registration(
        urn=step.urn,
        type=step.type,
        name=step.urn.rpartition("::")[2],
        custom=bool(side.custom),
        parent=side.parent,
        inputs=whole(side.inputs or {}),
        protect=bool(side.protect),
    )
