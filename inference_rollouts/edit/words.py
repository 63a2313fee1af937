"""Every sentence about editing a stack file, once: what is refused and what to do by hand, and what a command says next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inference_rollouts.errors import first_of, nearest, one_of
from inference_rollouts.stages import Stage

# --- what cannot be edited safely -------------------------------------------------------------------------------------


def merged(line: int) -> str:
    """A key that `<<` brings in."""
    return f"comes from line {line} by a merge (<<), which other places use too; write the key out here, then try again"


def aliased(anchor: str, line: int) -> str:
    """A value that is an alias."""
    return f"is written in line {line} and only named here (*{anchor}); write it out here, then try again"


def absent() -> str:
    """A key that the text does not have, though the settings do."""
    return "cannot be found in the text; make this edit by hand"


def no_map() -> str:
    """A value that is no map."""
    return "is no map in the text; make this edit by hand"


def shares_a_line(key: str) -> str:
    """A key that does not begin its line."""
    return f"{key} stands on a line with something else; put it on a line of its own, then try again"


def does_more(paths: Sequence[str], why: str, by_hand: str) -> str:
    """The edited text would say something else than what was meant."""
    more = first_of(paths, 3) + (f"; {why}" if why else "")
    return f"cannot be edited here without changing more than is meant: {more}; nothing was written; by hand: {by_hand}"


def anchor_shared(anchor: str, line: int, used: Sequence[int]) -> str:
    """Why the edit would change more: others use what is written here."""
    return f"&{anchor} in line {line} is used in {_lines(used)} too"


def anchor_goes(anchor: str, line: int, used: Sequence[int]) -> str:
    """What a finish removes holds an anchor that stays in use."""
    return f"holds &{anchor} (line {line}), which {_lines(used)} names; write out what *{anchor} stands for there, then try again"


def _lines(numbers: Sequence[int]) -> str:
    return f"line{'s' if len(numbers) > 1 else ''} {one_of(numbers).replace(' or ', ' and ')}"


def unreadable_after(why: str, by_hand: str) -> str:
    """The edited text could not be read any more."""
    return f"cannot be edited here: the result would not be read ({why}); nothing was written; by hand: {by_hand}"


def half_way() -> str:
    """The text between two edits of a finish could not be read."""
    return "cannot be edited here, for the way it is written; nothing was written; make this edit by hand"


def not_checked(why: str) -> str:
    """There is no place for a temporary file."""
    return f"cannot be checked: {why}; nothing was written"


def changed_meanwhile() -> str:
    """Somebody else wrote the file between reading and writing."""
    return "was changed by somebody else since it was read; nothing was written; look at it and try again"


def not_written(why: str) -> str:
    """The system refused the write."""
    return f"cannot be written: {why}; the file is as it was"


# --- by hand ----------------------------------------------------------------------------------------------------------


def set_by_hand(path: str, value: object) -> str:
    """One value."""
    return f"set {path} to {value}"


def add_by_hand(path: str, text: str) -> str:
    """One key."""
    return f"add {path}: {text}"


def finish_by_hand(place: str, stable: str, canary: str) -> str:
    """The three edits of a finish."""
    return (
        f"in {place} set serving: {canary}, take out rollout and the version {stable}, and write out what other versions "
        f"take from it (like: {stable})"
    )


# --- which rollout ----------------------------------------------------------------------------------------------------


def no_rollout(stack: str, startable: Iterable[str]) -> str:
    """There is no rollout in the file."""
    return f"no rollout is under way; begin one: rollout start {stack} {one_of(startable)} --to VERSION"


def several_rollouts(names: Sequence[str]) -> str:
    """Which of them?"""
    return f"{len(names)} rollouts are under way; say which: {one_of(names)}"


def unknown_target(name: str, known: Sequence[str]) -> str:
    """No such service or adapter."""
    return f"{name} is no service or adapter of this stack{nearest(name, known)}; allowed: {one_of(known)}"


def not_rolling(what: str, others: Sequence[str]) -> str:
    """The one that was named has no rollout."""
    return f"{what} has no rollout" + (f"; under way: {one_of(others)}" if others else "")


# --- where to ---------------------------------------------------------------------------------------------------------


def unknown_stage(text: str, ladder: Iterable[Stage]) -> str:
    """A stage that is not on the ladder."""
    return f"{text} is not on the ladder; allowed: {one_of(ladder)}"


def stands_already(what: str, stage: Stage) -> str:
    """Nothing to edit."""
    return f"{what} stands at {stage} already; nothing to edit"


def only_finish_is_left(what: str, command: str) -> str:
    """At retire there is no next rung."""
    return f"{what}: retire is the last rung; what is left is the finish: {command}"


def nothing_to_roll_back(what: str, stage: Stage, stable: str) -> str:
    """The canary has no weight."""
    also = "" if stage == "prepare" else ", and nothing else stands"
    return f"{what}: nothing to roll back: at {stage} {stable} has all the traffic{also}"


def back_by_100(what: str, command: str) -> str:
    """From retire the way back has two steps."""
    return f"{what}: from retire the way back is 100 first, where the old version is in the route again; then: {command}"


def finish_from_retire(what: str, here: Stage, command: str) -> str:
    """Finish comes after retire."""
    return f"{what}: stands at {here}, and the finish comes after retire; go up first: {command}"


def rolling_already(what: str, to: str, here: Stage) -> str:
    """A second rollout of the same thing."""
    return (
        f"{what}: a rollout to {to} is in the file, at {here}; finish it, or take it back to baseline and out of the file, first"
    )


def other_steps(what: str, old: Sequence[int], new: Sequence[int]) -> str:
    """Start of a rollout that stands at baseline, with other steps."""
    return f"{what}: the rollout in the file has steps {list(old)}, not {list(new)}; change them in the file"


def unknown_version(what: str, name: str, others: Sequence[str]) -> str:
    """`--to` names no other version."""
    if not others:
        return f"{what}: {name} is no version to go to; add it to versions first, as {name}: {{like: …}}"
    return f"{what}: {name} is no version to go to{nearest(name, others)}; allowed: {one_of(others)}"


def serves_already(what: str, name: str, others: Sequence[str]) -> str:
    """`--to` names the version that serves."""
    return f"{what}: {name} serves already; " + (
        f"name another version: {one_of(others)}" if others else "add another version first"
    )


# --- what a command says ----------------------------------------------------------------------------------------------


def moves(what: str, here: object, there: object) -> str:
    """Headline of an edit."""
    return f"{what}: {here} → {there}"


def ask(file: object) -> str:
    """The question before a write."""
    return f"Write this to {file}?"


def not_asked() -> str:
    """Nobody is there to ask."""
    return "nothing was written: this is no terminal to ask on; add --yes to write"


def declined() -> str:
    """The answer was no."""
    return "nothing was written"


def wrote(file: object) -> str:
    """Done."""
    return f"{file} is written."
