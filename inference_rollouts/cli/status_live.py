"""`rollout status --live`: what the files want beside what the clusters have; for programs, for a pipeline, and refreshed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import typer
from rich.console import Console, Group, RenderableType
from rich.text import Text

from inference_rollouts.checks import Finding
from inference_rollouts.cli import status
from inference_rollouts.cli.status import Standing
from inference_rollouts.cli.status_live_text import blocks
from inference_rollouts.edit import live_words
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.observe.kubeconfig import NoConnection
from inference_rollouts.observe.live_status import LiveStatus, ServiceStatus, SplitStatus, live_status


@dataclass(frozen=True)
class Seen:
    """What was found of the stacks that were asked for.

    Attributes:
        found: each stack that could be read, with its cluster's answer; None where there is none.
        problems: what is wrong with the others, and why a cluster gave no answer.
    """

    found: tuple[tuple[Standing, LiveStatus | None], ...]
    problems: tuple[Problem, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """What `--check` stops at, each with its stack: what is not as the file says, and what answers and is not ready."""
        return tuple(f"{standing.file.stack}: {said}" for standing, live in self.found if live for said in live.failed)


def look(names: Sequence[str]) -> Seen:
    """Read the files, and ask their clusters.

    Raises:
        InputError: when there is no project to take all stacks of, or it has none.
    """
    standings, problems = status.read_all(names)
    found: list[tuple[Standing, LiveStatus | None]] = []
    for standing in standings:
        try:
            found.append((standing, live_status(standing.plan, standing.project)))
        except NoConnection as e:
            found.append((standing, None))
            problems.append(Problem("cluster", str(e), str(standing.file.path)))
    return Seen(tuple(found), tuple(problems))


def show(names: Sequence[str], console: Console, *, as_json: bool, check: bool) -> None:
    """Once.

    Raises:
        InputError: when a file or a cluster could not be read; the others are shown before.
        typer.Exit: 3 when `check` finds something that is not as it should be.
    """
    seen = look(names)
    if as_json:
        shown = [document(standing, live) for standing, live in seen.found]
        status.print_documents(names, shown)
    else:
        for block in _text(seen):
            console.print(block, soft_wrap=True)
    _end(seen, None if as_json else console, check=check)


def _end(seen: Seen, console: Console | None, *, check: bool) -> None:
    if check and seen.failed and console:
        console.print(Text(live_words.check_failed(seen.failed), style="bold red"), soft_wrap=True)
    if seen.problems:
        raise InputError(seen.problems)
    if check and seen.failed:
        raise typer.Exit(3)


# --- again and again --------------------------------------------------------------------------------------------------


def watch(names: Sequence[str], console: Console, interval: float, *, check: bool) -> None:
    """Until Ctrl-C: in place on a terminal; in a pipe one block whenever something changes.

    Raises:
        InputError, typer.Exit: as `show`, by what was seen last.
    """
    last: list[Seen] = []
    try:
        if console.is_terminal:
            _in_place(names, console, interval, last.append)
        else:
            _by_change(names, console, interval, last.append)
    except KeyboardInterrupt:
        # What was never seen is not as it should be, either.
        _end(last[-1] if last else Seen((), ()), console, check=check)
        if check and not last:
            raise typer.Exit(3) from None


def _in_place(names: Sequence[str], console: Console, interval: float, keep: Callable[[Seen], None]) -> None:
    from rich.live import Live

    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as screen:
        while True:
            seen = look(names)
            keep(seen)
            screen.update(Group(*_text(seen), *_problems(seen)), refresh=True)
            time.sleep(interval)


def _by_change(names: Sequence[str], console: Console, interval: float, keep: Callable[[Seen], None]) -> None:
    before = None
    while True:
        seen = look(names)
        keep(seen)
        facts = [[document(standing, live, timeless=True) for standing, live in seen.found], [str(p) for p in seen.problems]]
        if facts != before:
            for block in (*_text(seen), *_problems(seen)):
                console.print(block, soft_wrap=True)
            sys.stdout.flush()
        before = facts
        time.sleep(interval)


def _text(seen: Seen) -> Iterator[RenderableType]:
    for i, (standing, live) in enumerate(seen.found):
        yield from ([""] if i else [])
        if live:
            yield from blocks(standing, live)
        else:
            # The kubectl line of an emergency rollback is in it: whoever cannot reach the cluster from here may need it.
            yield from status.text(standing)
            yield Text(f"  {live_words.no_live()}", style="yellow")


def _problems(seen: Seen) -> Iterator[RenderableType]:
    for problem in seen.problems:
        yield Text(str(problem), style="red")


# --- JSON -------------------------------------------------------------------------------------------------------------


def document(standing: Standing, live: LiveStatus | None, *, timeless: bool = False) -> dict[str, Any]:
    """A stack as plain JSON values: what `status --json` says, and under `live` what its cluster has.

    Args:
        standing: the stack by its file.
        live: None where the cluster gave no answer.
        timeless: without what changes by itself.
    """
    return {**status.as_json(standing), "live": _live(live, timeless=timeless) if live else None}


def _live(live: LiveStatus, *, timeless: bool) -> dict[str, Any]:
    seen = {"cluster": live.access.said, "server": live.access.server}
    return {
        **seen,
        **({} if timeless else {"at": live.at.isoformat(timespec="seconds")}),
        "differences": list(live.differences),
        "failed": list(live.failed),
        "services": [_service(service, timeless=timeless) for service in live.services],
    }


def _service(service: ServiceStatus, *, timeless: bool) -> dict[str, Any]:
    return {
        "service": service.name,
        "splits": [_split(split, timeless=timeless) for split in service.splits],
        "ready": [_finding(finding) for finding in service.readiness],
        "checks": [{"adapter": name or None, **_finding(finding)} for name, found in service.checks.items() for finding in found],
        "missing": list(service.missing),
        "differences": list(service.differences),
    }


def _split(split: SplitStatus, *, timeless: bool) -> dict[str, Any]:
    write = split.write
    return {
        "object": split.at,
        "adapter": split.adapter,
        "wanted": {"stage": split.wanted.stage, "weights": dict(split.shown)},
        "live": {"stage": split.stage, "weights": None if split.live is None else dict(split.live)},
        "unknown": split.unknown or None,
        "record": split.recorded.to_wire() if split.recorded else None,
        "recordUnknown": split.not_recorded or None,
        "recordDisagrees": split.disagrees,
        "writtenBy": {"manager": write.manager, "operation": write.operation, "at": write.time.isoformat()} if write else None,
        **({} if timeless else {"seconds": split.seconds}),
        "now": asdict(split.now) if split.now else None,
        "differences": list(split.differences),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {key: value for key, value in asdict(finding).items() if value or key != "advice"}
