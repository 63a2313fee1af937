"""Every sentence of a driver, once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from inference_rollouts.errors import all_of
from inference_rollouts.stages import Stage
from inference_rollouts.wording import duration

if TYPE_CHECKING:
    from inference_rollouts.settings import AdapterRollout

INSTALL = "https://www.pulumi.com/docs/install/"

# --- before a run -----------------------------------------------------------------------------------------------------


def no_cli() -> str:
    """The `pulumi` command is not there."""
    return (
        f"this needs the Pulumi CLI, and there is no pulumi on PATH; install it ({INSTALL}), 3.238 or newer. Without it: "
        "rollout advance edits the stack file, and whoever has the CLI runs pulumi up"
    )


def old_cli(why: str) -> str:
    """The `pulumi` command cannot be used."""
    return f"the Pulumi CLI on PATH cannot be used ({why}); install 3.238 or newer: {INSTALL}"


def no_stack(stack: str, why: str) -> str:
    """The backend has no such stack, or cannot be asked."""
    return (
        f"Pulumi cannot open stack {stack}: {why}; pulumi whoami -v tells the backend, pulumi stack init {stack} makes the stack"
    )


def rollout_left(place: str) -> str:
    """The rollout was taken out of the file meanwhile."""
    return f"{place} has no rollout any more"


def no_finish() -> str:
    """`--until finish`."""
    return (
        "a run goes as far as retire, and deletes nothing; the finish deletes the old version: rollout finish, then pulumi "
        "preview and pulumi up, with somebody looking"
    )


def not_deployed(what: str, stack: str) -> str:
    """The service is not in the state."""
    return f"{what} is not deployed yet; deploy it first: pulumi up -s {stack}"


def another_rollout(what: str, serving: str, to: str, stack: str) -> str:
    """The state holds a rollout to something else."""
    return (
        f"{what}: what is deployed is a rollout from {serving} to {to}, and the file has another; deploy that change first: "
        f"pulumi up -s {stack}"
    )


def file_and_state(what: str, file: Stage, deployed: Stage, recover: str) -> str:
    """The file is neither where the state is, nor one rung ahead."""
    return f"{what}: the file says {file}, and {deployed} is deployed; find out why, and bring them together: {recover}"


def beyond(what: str, here: Stage, until: Stage, rollback: str) -> str:
    """`--until` lies behind."""
    return f"{what} stands at {here}, beyond {until}, and a run only goes up; to go down: {rollback}"


def reached_already(what: str, here: Stage) -> str:
    """Nothing to do."""
    return f"{what} stands at {here} already"


def itinerary(what: str, here: Stage, path: Sequence[Stage], rollout: AdapterRollout) -> str:
    """What a run is going to do."""
    parts = [f"{what}: {here} → {' → '.join(str(stage) for stage in path)}"]
    if rollout.bake:
        parts.append(f"at least {duration(rollout.bake)} at each rung")
    if rollout.keep and path[-1] == "retire":
        parts.append(f"{duration(rollout.keep)} at 100")
    names = [check.name for check in rollout.checks]
    parts.append(f"checks: readiness{f', {all_of(names)}' if names else ''}")
    failing = "falls to prepare" if rollout.on_failure == "rollback" else "holds at its rung"
    return "; ".join([*parts, f"a failing check {failing}"])


def go_on(path: object) -> str:
    """The question before the first update."""
    return f"Go? Each rung is written to {path}, then pulumi up"


def declined() -> str:
    """The answer was no."""
    return "nothing was changed"


def not_asked() -> str:
    """Nobody is there to ask."""
    return "nothing was changed: this is no terminal to ask on; add --yes to go on without asking"


def message(what: str, here: Stage | None, there: Stage) -> str:
    """For Pulumi's own history."""
    return f"rollout: {what} {f'{here} → {there}' if here is not None else f'back to {there}'}"


# --- on the way -------------------------------------------------------------------------------------------------------


def previewed(what: str, here: Stage, there: Stage) -> str:
    """Headline of a preview."""
    return f"{what}: the update from {here} to {there} does this"


def preview_refused(what: str, here: Stage, there: Stage) -> str:
    """The guard, or the engine, says no in the preview."""
    return f"{what} stays at {here}: the preview of {there} did not get through; nothing was changed"


def does_more(what: str, there: Stage, harm: Iterable[str]) -> str:
    """The update would delete or replace something, which no rung does."""
    return (
        f"{what}: the update to {there} would delete or replace {all_of(harm)}, and a run does neither; deploy that change in an "
        "update of its own, with somebody looking"
    )


def edited_meanwhile(what: str, path: object) -> str:
    """The file is another than the one that was previewed."""
    return f"{what}: {path} was edited while its update was previewed, so nobody has seen what it does now; nothing was changed"


def moves_others(what: str, there: Stage, others: Sequence[str]) -> str:
    """The update would move other rollouts, too."""
    return f"{what}: the update to {there} would also move {all_of(others)}, and a run moves one rollout; deploy that first"


def written(path: object, stage: Stage) -> str:
    """The file was put to a stage."""
    return f"{path} says {stage}"


def waiting(what: str, here: Stage, following: Stage | None, *, calm: bool) -> str:
    """While a rung is watched."""
    if not calm:
        return f"{what} at {here}: waiting for the checks"
    return f"{what} at {here}" if following is None else f"{what} at {here}, next {following}"


def checks(what: str, here: Stage, asked: int, failing: int, unknown: int) -> str:
    """What was answered at a rung."""
    if not failing and not unknown:
        return f"{what} at {here}: {f'all {asked} checks pass' if asked != 1 else 'its check passes'}"
    counts = [f"{number} {word}" for number, word in ((failing, "failing"), (unknown, "unknown")) if number]
    return f"{what} at {here}: of {asked} check{'s' * (asked != 1)} {' and '.join(counts)}"


def arrived(what: str, stage: Stage) -> str:
    """An update is through."""
    return f"{what} stands at {stage}"


def half_way(what: str, stage: Stage) -> str:
    """The record moved, and then something failed."""
    return f"{what}: the update to {stage} failed half-way"


# --- how it ends ------------------------------------------------------------------------------------------------------


def reached(what: str, stage: Stage) -> str:
    """All is well."""
    return f"{what} has reached {stage}, and its checks pass"


def update_refused(what: str, here: Stage, there: Stage) -> str:
    """Nothing was changed by the update."""
    return f"{what} stays at {here}: the update to {there} did not get through, and changed no weight; the file says {here} again"


def try_again(what: str, stage: Stage) -> str:
    """An update without a raise failed half-way."""
    return (
        f"{what} is at {stage}, in file and state, but not all of it stands; see to the reason, and the next update tries again"
    )


def back_a_rung(what: str, here: Stage) -> str:
    """The way back from an update that failed half-way."""
    return f"{what}: back to {here}, the rung that stood"


def falls(what: str) -> str:
    """The way back from an update that failed half-way."""
    return f"{what}: back to prepare, where the old version has all the traffic"


def failed_falls(what: str, here: Stage) -> str:
    """Checks kept failing."""
    return f"{what} at {here}: checks keep failing; back to prepare, where the old version has all the traffic"


def failed_held(what: str, here: Stage) -> str:
    """Checks kept failing, and the setting says hold."""
    return f"{what} is held at {here}: checks keep failing (onFailure: hold)"


def unclear(what: str, here: Stage, limit: float) -> str:
    """What is not known, or not ready, did not become so."""
    return f"{what} is held at {here}: {duration(limit)} after its time not every check passes"


def by_hand(what: str, here: Stage) -> str:
    """Somebody else moves the traffic."""
    return f"{what} is held: somebody has changed the live weights, which are not those of {here}, and a run does not undo that"


def rolled_back(what: str, to: Stage) -> str:
    """The way back is done."""
    also = ": the old version has all the traffic" if to == "prepare" else ""
    return f"{what} is back at {to}{also}"


def rolled_back_unwritten(said: str, path: object, to: Stage) -> str:
    """The way back is done, from what was previewed; the file cannot be edited any more."""
    return f"{said}; {path} could not be put there as it is now: mend it, with stage: {to}, before the next update"


def fall_failed(what: str, to: Stage, now: str) -> str:
    """The way back did not get through."""
    return (
        f"{what}: the update back to {to} did not get through; the file says {to}. At once, without Pulumi: {now}; then bring "
        "state and file together"
    )


def stopped(what: str, here: Stage) -> str:
    """Ctrl-C, at a rung."""
    return f"{what} stands at {here}, in file and state: stopped as you wished"


def cancelled(what: str, here: Stage) -> str:
    """Ctrl-C twice, in an update."""
    return f"{what}: the update was cancelled; the state says {here}, and so does the file, but the live weights may differ"


def moved_meanwhile(what: str, wanted: Stage, deployed: Stage | str) -> str:
    """The state says something that the update cannot have come to."""
    return f"{what}: after the update to {wanted} it is {deployed} that is deployed; somebody else updates this stack"


def stuck(what: str) -> str:
    """Something went wrong on the way."""
    return f"{what}: cannot go on"


def wish(number: int, running: bool) -> str:
    """An answer to Ctrl-C."""
    if not running:
        return "stopping"
    if number == 1:
        return "the update that runs is let to its end, then this stops; once more cancels it"
    return "cancelling the update; afterwards: rollout recover"


# --- watch ------------------------------------------------------------------------------------------------------------


def watching(what: str, here: Stage, seconds: float, interval: float, *, abort: bool) -> str:
    """What a watch is going to do."""
    failing = "a failing check falls to prepare" if abort else "a failing check is only reported"
    return f"{what} at {here}: watched for {duration(seconds)}, every {duration(interval)}; {failing}"


def nothing_to_watch(what: str, here: Stage) -> str:
    """The canary has no weight."""
    return f"{what} stands at {here}, where the canary has no traffic: nothing to watch"


def watched(what: str, here: Stage, seconds: float) -> str:
    """All is well."""
    return f"{what} at {here}: watched for {duration(seconds)}, and its checks pass"


def failing(what: str, here: Stage) -> str:
    """Checks kept failing, and nobody acts."""
    return f"{what} at {here}: checks keep failing"


def not_clear(what: str, here: Stage, seconds: float) -> str:
    """A watch that does not end well."""
    return f"{what} at {here}: watched for {duration(seconds)}, and in the end not every check passes"


def watch_stopped(what: str, here: Stage) -> str:
    """Ctrl-C."""
    return f"{what} at {here}: stopped watching, as you wished"
