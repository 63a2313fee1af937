"""The guard: the one factory of resource hooks. What it cannot judge, it refuses.

It is bound to ModelService, whose inputs are the record, and as a second line (for `--target` and for updates that failed
half-way) to the route and to each adapter split, which carry their split as an annotation. It asks `move`, and knows no rule
itself. Facts about hooks: the SDK passes `str(e)` on, and the engine takes an empty text for success; a cancellation is no
`Exception`; numbers arrive as floats.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import pulumi

from inference_rollouts import move, wording
from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.raises import Raise, raised
from inference_rollouts.record import Record, Split, Unreadable

Inputs = Mapping[str, Any]
Judge = Callable[[Inputs, Inputs], Sequence[str]]
"""From old and new inputs to the reasons for a refusal; none when the move is allowed."""
Ask = Callable[[Inputs, Inputs], Awaitable[Sequence[str]]]
"""The same, by looking at the world."""


class MoveRefused(Exception):
    """The move is refused. Its text is never empty: one reason a line."""


class Live(Protocol):
    """Who can ask the cluster before a raise."""

    def questions(self, raised: Raise) -> Sequence[str]:
        """What will be asked, for a preview."""
        ...

    async def ask(self, deployed: Record, raised: Raise) -> Sequence[str]:
        """What stands against the raise, one sentence each."""
        ...


def service_guard(service: str, live: Live | None = None) -> pulumi.ResourceHook:
    """The guard on a ModelService: the whole record; and, before a raise in an update, what the cluster says.

    Args:
        service: its name.
        live: None asks nothing live.
    """

    def judge(old: Inputs, new: Inputs) -> list[str]:
        return move.judge(service, _record("deployed", old), _record("wanted", new), datetime.now(UTC))

    async def ask(old: Inputs, new: Inputs) -> Sequence[str]:
        deployed = _record("deployed", old)
        asked = raised(deployed, _record("wanted", new))
        if not live or not asked:
            return []
        retires = not asked.names
        if pulumi.runtime.is_dry_run():
            pulumi.log.info(wording.will_be_asked(f"service {service}", live.questions(asked), retires=retires))
            return []
        findings = await live.ask(deployed, asked)
        return [wording.not_ready(f"service {service}", finding, retires=retires) for finding in findings]

    return guard(f"{service}.guard", judge, ask)


def _record(which: str, inputs: Inputs) -> Record:
    try:
        return Record.from_wire(inputs)
    except Unreadable as e:
        raise Unreadable(f"the {which} record: {e}") from e


def split_guard(name: str, what: str) -> pulumi.ResourceHook:
    """The guard on an object that carries weights: the split in its annotation."""

    def judge(old: Inputs, new: Inputs) -> list[str]:
        before, after = _split(old), _split(new)
        # An object without the annotation, as an imported one, has no split to compare: the service's guard judges alone.
        return move.judge_split(what, before, after) if before and after else []

    return guard(f"{name}.guard", judge)


def _split(inputs: Inputs) -> Split | None:
    text = ((inputs.get("metadata") or {}).get("annotations") or {}).get(SPLIT_ANNOTATION)
    return Split.from_json(text) if text else None


def guard(name: str, judge: Judge, ask: Ask | None = None) -> pulumi.ResourceHook:
    """A hook that refuses what `judge` or `ask` has reasons against, and whatever they fail to judge.

    Args:
        name: unique in the program.
        judge: pure; asked in previews and updates alike.
        ask: may look at the world; asked only of what `judge` allows.
    """

    async def refuse(args: pulumi.ResourceHookArgs) -> None:
        old, new = args.old_inputs or {}, args.new_inputs or {}
        try:
            # A judge that forgets to answer (None), or that has only empty reasons, has not consented.
            reasons = list(judge(old, new))
            if not reasons and ask:
                reasons = list(await ask(old, new))
            text = "\n".join(reasons)
        except BaseException as e:
            raise MoveRefused(wording.unreadable(_text_of(e))) from e
        if reasons:
            raise MoveRefused(text if text.strip() else wording.unreadable(f"{name} gave no reason"))

    return pulumi.ResourceHook(name, refuse, pulumi.ResourceHookOptions(on_dry_run=True, ignore_errors=False))


def _text_of(error: BaseException) -> str:
    """Never empty, on one line, and always with the kind: `str(KeyError("pools"))` alone says nothing."""
    kind = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:
        return kind
    return f"{kind}: {text}" if text else kind


def binding(hook: pulumi.ResourceHook) -> pulumi.ResourceHookBinding:
    """Bound to updates. There is nothing to compare at creation, and delete hooks would make `destroy` need the program."""
    return pulumi.ResourceHookBinding(before_update=[hook])
