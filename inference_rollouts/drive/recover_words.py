"""Every sentence of a recovery, once."""

from __future__ import annotations

from collections.abc import Sequence

from inference_rollouts.errors import all_of
from inference_rollouts.stages import Stage


def locked() -> str:
    """A lock is held."""
    return "the stack is locked: by an update that runs, or by a runner that died"


def ask_cancel() -> str:
    """The question before `pulumi cancel`."""
    return "Does that runner surely run no more? Take its lock away (pulumi cancel)?"


def unlocked() -> str:
    """The lock is gone."""
    return "the lock is taken away"


def still_locked(stack: str) -> str:
    """The lock was left."""
    return f"the stack stays locked; once you know that nobody updates it: pulumi cancel -s {stack}"


def pending(titles: Sequence[str], creating: Sequence[str]) -> str:
    """Operations that were cut off."""
    text = f"{all_of(titles)} {'was' if len(titles) == 1 else 'were'} cut off"
    return text if not creating else f"{text}; whether {all_of(creating)} exists, Pulumi does not know"


def ask_clear(creating: Sequence[str]) -> str:
    """The question before pending creates are dropped."""
    return f"Is it sure that {all_of(creating)} does not exist? Drop it from the state (a backup is written first)?"


def kept_creates(stack: str) -> str:
    """Pending creates stay."""
    return f"the entries stay; what exists is taken over by: pulumi refresh -s {stack} --import-pending-creates 'URN ID'"


def backed_up(path: object) -> str:
    """The state was written to a file."""
    return f"the state as it was is in {path}"


def ask_refresh(count: int) -> str:
    """The question before the refresh."""
    return f"Read the {count} object{'s' * (count != 1)} that carry weights from the cluster into the state (pulumi refresh)?"


def refreshed() -> str:
    """The state knows the live weights."""
    return "the state holds the live weights"


def not_refreshed() -> str:
    """The answer was no."""
    return "the live weights were not read; what follows is from file and state alone"


def standing(what: str, file: Stage | None, recorded: Stage | None, live: str) -> str:
    """Where things stand."""
    return f"{what}: the file says {_or_none(file)}, the state {_or_none(recorded)}, the live weights {live}"


def _or_none(stage: Stage | None) -> str:
    return "no rollout" if stage is None else str(stage)


def live_unknown() -> str:
    """Nobody has asked, or the weights are those of no rung."""
    return "nobody knows"


def live_off(weight: int) -> str:
    """The live weights are on no rung."""
    return f"{weight} % to the canary, which is on no rung"


def agrees(what: str, stage: Stage) -> str:
    """Nothing to mend."""
    return f"{what}: all agree on {stage}"


def ask_mend(what: str, to: Stage, *, write: bool, up: bool) -> str:
    """The question before things are brought together."""
    steps = [*(["write it to the file"] if write else []), *(["pulumi up"] if up else [])]
    return f"{what}: to {to}, the lowest of them ({', then '.join(steps)})?"


def to_mend(what: str, to: Stage) -> str:
    """What has to be done, and was declined."""
    return f"{what}: file, state and live weights differ; the safe rung is {to}"


def back(moving: Sequence[tuple[str, Stage]]) -> str:
    """What an update brings where; for Pulumi's own history, too."""
    return ", ".join(f"{what} back to {to}" for what, to in moving)


def does_more(told: str, harm: Sequence[str]) -> str:
    """The update would delete or replace something, which is no recovery."""
    return (
        f"{told}: the update would also delete or replace {all_of(harm)}, and a recovery does neither; the file holds the rung "
        "already: deploy it with somebody looking"
    )


def mended(what: str, to: Stage) -> str:
    """All agree now."""
    return f"{what}: file, state and live weights are at {to}"


def together(stack: str) -> str:
    """All rollouts of the stack agree."""
    return f"stack {stack}: nothing is left to recover"


def not_mended(told: str) -> str:
    """The update did not get through."""
    return f"{told}: the update did not get through"


def retire_by_hand(what: str) -> str:
    """At retire, with the old version in the live split."""
    return (
        f"{what}: the state says retire, and yet the old version has live traffic; look at the route, then set stage: 100 and "
        "run pulumi up"
    )


def gone(what: str, titles: Sequence[str]) -> str:
    """Objects with weights that the cluster does not have."""
    are = "is" if len(titles) == 1 else "are"
    return f"{what}: {all_of(titles)} {are} not in the cluster; see first what an update would make anew, and with which weights"


def just_up(what: str, stack: str) -> str:
    """File and state differ in more than the stage."""
    return f"{what}: file and state hold different rollouts; an update brings them together: pulumi preview -s {stack}, then up"
