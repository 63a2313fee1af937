"""`rollout history`: the stage changes of a stack file from Git: who, when, why; newest first.

Where the Pulumi CLI can tell, the updates that deployed them stand among them.

Old texts are read leniently: a file that today's settings would refuse still says where its rollouts stood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from inference_rollouts import stages
from inference_rollouts.cli.project import find_project, is_path, stack_path
from inference_rollouts.cli.updates import Update, updates
from inference_rollouts.edit import report_words
from inference_rollouts.edit.meaning import Place
from inference_rollouts.edit.operations import parsed
from inference_rollouts.edit.repository import Commit, Repository
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.settings import PROJECT
from inference_rollouts.settings.stack_file import stack_name

GONE = "not there"
"""Stage of what is not in the file."""


@dataclass(frozen=True)
class Stood:
    """Where a service or an adapter stood in one text of the file."""

    serving: str
    to: str | None
    stage: Any

    @property
    def weights(self) -> dict[str, int]:
        """Percent by version; none for a stage that today's ladder does not know."""
        known = self.stage in stages.NAMED or (isinstance(self.stage, int) and 1 <= self.stage <= 100)
        return stages.weights(self.stage, self.serving, self.to) if known else {}


@dataclass(frozen=True)
class Move:
    """One stage change.

    Attributes:
        origin, to: stages; `finish` for a finish, GONE for what is not in the file.
        weights: after it, in percent.
    """

    place: Place
    origin: Any
    to: Any
    weights: Mapping[str, int]

    def __str__(self) -> str:
        return f"{self.place}: {self.origin} → {self.to}"


@dataclass(frozen=True)
class Event:
    """One stage change in Git."""

    commit: Commit
    move: Move


@dataclass(frozen=True)
class Deployment:
    """An update, and what it moved."""

    update: Update
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class History:
    """The stage changes of a stack file, newest first.

    Attributes:
        unread: commits whose text of the file could not be read.
        deployed: updates that moved a stage, newest first, each with the moves.
        untold: why the updates are not there; empty when they are, or when there is no Pulumi CLI to ask.
    """

    stack: str
    file: Path
    events: tuple[Event, ...]
    unread: tuple[Commit, ...]
    deployed: tuple[Deployment, ...]
    untold: str


def history(stack: str) -> History:
    """The stage changes of a stack file.

    Raises:
        InputError: when it is in no repository, or Git cannot tell.
    """
    path = stack_path(stack)
    repository = Repository.around(path)
    events: list[Event] = []
    unread: list[Commit] = []
    for commit in repository.log(path):
        parent = repository.parent(commit.id)
        sides = [_stood(path, repository.data(at, path) if at else None) for at in (parent, commit.id)]
        if sides[1] is None:
            unread.append(commit)
        events += [Event(commit, move) for move in _moves(sides[0] or {}, sides[1])] if sides[1] is not None else []
    if not events and not unread and not path.is_file():
        raise InputError([Problem("", report_words.no_stack_file("Git"), stack)])
    told, untold = ([], "") if is_path(stack) else updates(find_project().folder, stack)
    return History(stack_name(path), path, tuple(events), tuple(unread), tuple(_deployments(told)), untold)


def _deployments(told: list[Update]) -> Iterator[Deployment]:
    """The updates that moved something, or that failed; what an update that failed has moved, the next one may still say."""
    before: dict[Place, Stood] = {}
    found = []
    for update in reversed(told):
        after = _services(update.services)
        moves = tuple(_moves(before, after))
        if moves or update.result != "succeeded":
            found.append(Deployment(update, moves))
        before = after if update.result == "succeeded" else before
    yield from reversed(found)


def _stood(path: Path, data: bytes | None) -> dict[Place, Stood] | None:
    """Where everything stood in a text; None for one that cannot be read."""
    if data is None:
        return {}
    try:
        services = parsed(path, data).config.get(f"{PROJECT}:services")
    except InputError:
        return None
    return _services(services)


def _services(services: Any) -> dict[Place, Stood]:
    """Where everything stands in the config."""
    found: dict[Place, Stood] = {}
    for name, service in _maps(services):
        found |= _block(Place(name), service)
        for key, adapter in _maps(service.get("adapters")):
            found |= _block(Place(name, key), adapter)
    return found


def _maps(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield from ((key, inner) for key, inner in value.items() if isinstance(inner, dict))


def _block(place: Place, block: Mapping[str, Any]) -> dict[Place, Stood]:
    rollout = block.get("rollout") if isinstance(block.get("rollout"), dict) else None
    to, stage = (rollout.get("to"), rollout.get("stage")) if rollout else (None, "baseline")
    return {place: Stood(str(block.get("serving")), to if to is None else str(to), stage)}


def _moves(before: Mapping[Place, Stood], after: Mapping[Place, Stood]) -> Iterator[Move]:
    for place in sorted({*before, *after}, key=str):
        old, new = before.get(place), after.get(place)
        if old is not None and new is not None and new.to is None and old.to == new.serving != old.serving:
            yield Move(place, old.stage, "finish", new.weights)
            continue
        origin, to = (GONE if stood is None else stood.stage for stood in (old, new))
        if origin != to:
            yield Move(place, origin, to, new.weights if new else {})


# --- what is said -----------------------------------------------------------------------------------------------------


def as_json(found: History) -> dict[str, Any]:
    """The history as plain JSON values."""
    return {
        "stack": found.stack,
        "file": str(found.file),
        "changes": [
            {
                "commit": event.commit.id,
                "date": event.commit.date,
                "author": event.commit.author,
                "subject": event.commit.subject,
                **_move_json(event.move),
            }
            for event in found.events
        ],
        "updates": [
            {
                "version": deployment.update.version,
                "date": deployment.update.start,
                "result": deployment.update.result,
                "message": deployment.update.message,
                "commit": deployment.update.commit or None,
                "changes": [_move_json(move) for move in deployment.moves],
            }
            for deployment in found.deployed
        ],
        "untold": found.untold or None,
        "unread": [commit.id for commit in found.unread],
    }


def _move_json(move: Move) -> dict[str, Any]:
    return {
        "service": move.place.service,
        "adapter": move.place.adapter,
        "from": None if move.origin == GONE else move.origin,
        "to": None if move.to == GONE else move.to,
        "weights": dict(move.weights),
    }


def render(found: History, console: Console) -> None:
    """Commits and updates as text, by time, newest first."""
    if not found.events:
        console.print(Text(report_words.no_history(found.stack)), soft_wrap=True)
    lines = [(event.commit.date, _committed(event)) for event in found.events]
    lines += [(deployment.update.start, _deployed(deployment)) for deployment in found.deployed]
    # Git's order is kept among commits: dates of authors need not rise.
    for _, (first, second) in sorted(lines, key=lambda line: _time(line[0]), reverse=True) if found.deployed else lines:
        console.print(first, soft_wrap=True)
        console.print(second, soft_wrap=True)
    for commit in found.unread:
        console.print(Text(report_words.unread(commit.id[:10]), style="dim"), soft_wrap=True)
    if found.untold:
        console.print(Text(report_words.no_updates(found.untold), style="dim"), soft_wrap=True)


def _time(date: str) -> float:
    return datetime.fromisoformat(date).timestamp()


def _committed(event: Event) -> tuple[Text, Text]:
    commit, shares = event.commit, _shares(event.move)
    date = f"{commit.date[:10]} {commit.date[11:16]} {commit.date[19:]}"
    first = Text.assemble((commit.id[:10], "yellow"), f"  {date}  {commit.author}  ", (str(event.move), "bold"))
    return first, Text(f"            {commit.subject}" + (f"  ({shares})" if shares else ""))


def _deployed(deployment: Deployment) -> tuple[Text, Text]:
    update = deployment.update
    date = f"{update.start[:10]} {update.start[11:16]} +00:00"
    style = "green" if update.result == "succeeded" else "red"
    moved = ", ".join(map(str, deployment.moves)) or "nothing moved"
    number = f"update {update.version}"
    first = Text.assemble((f"{number:<10}", "cyan"), f"  {date}  ", (update.result, style), "  ", (moved, "bold"))
    return first, Text(f"            {update.message}" + (f"  (of {update.commit[:10]})" if update.commit else ""))


def _shares(move: Move) -> str:
    return ", ".join(f"{name} {weight} %" for name, weight in move.weights.items())
