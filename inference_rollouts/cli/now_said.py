"""What `rollback --now` says: before it asks, and after; as text, and as one JSON document."""

from __future__ import annotations

import sys
from typing import Any

from rich.text import Text

from inference_rollouts.cli import edit
from inference_rollouts.cli.app import print_json
from inference_rollouts.cli.edit import How
from inference_rollouts.cli.now_plan import Rollback
from inference_rollouts.edit import live_words, words
from inference_rollouts.edit.differences import unified
from inference_rollouts.errors import InputError


def _diff(rollback: Rollback) -> str:
    opened = rollback.opened
    return unified(opened.file.path, opened.document.text, rollback.edited.text) if rollback.edited else ""


def show(rollback: Rollback, how: How) -> None:
    """What is to be written, as text."""
    if rollback.stage is None:
        step = rollback.steps[0]
        said = live_words.stands_live(rollback.found.what, step.status.stage or step.base.stage, step.base.serving)
        how.console.print(Text(said), soft_wrap=True)
    else:
        heading = live_words.now(rollback.found.what, rollback.stage, rollback.access.said)
        how.console.print(Text(heading, style="bold"), soft_wrap=True)
    for step in rollback.to_write:
        assert step.wanted, "only what is to be written"
        told = live_words.weights(step.status.live, step.status.target.weights(step.wanted))
        how.console.print(Text(f"  {step.status.at}: {told}"), soft_wrap=True)
    _warn(rollback, how)
    for sentence in rollback.skipped:
        how.console.print(Text(f"  {sentence}", style="yellow"), soft_wrap=True)
    edit.show_diff(_diff(rollback), how.console)


def _warn(rollback: Rollback, how: How) -> None:
    for sentence in rollback.warnings:
        how.console.print(Text(f"  {sentence}", style="bold red"), soft_wrap=True)


def answer(rollback: Rollback, how: How, *, agreed: bool) -> None:
    """What was written, what failed (on stderr), what else there is to know, and what to run next."""
    following = _next(rollback) if agreed and (rollback.written or rollback.edited) else []
    if how.as_json:
        print_json(_document(rollback, agreed, following))
    elif agreed:
        for step, done, seconds in rollback.written:
            how.console.print(Text(live_words.written_now(step.status.at, done.after, seconds)), soft_wrap=True)
        if rollback.edited:
            how.console.print(Text(words.wrote(rollback.opened.file.path)))
        if how.yes:  # else they stood above the question
            _warn(rollback, how)
    for sentence in (*rollback.failed, *([rollback.problem] if rollback.problem else [])):
        sys.stderr.write(f"{sentence}\n")
    if how.as_json:
        return
    for note in rollback.notes:
        how.console.print(Text(note), soft_wrap=True)
    if following:
        how.console.print(Text.assemble("Next: ", ", then ".join(following)), soft_wrap=True)


def failure(stack: str, error: InputError) -> None:
    """The JSON document where file or cluster could not be read: nothing was found to do, and nothing was written."""
    document = {
        "stack": stack,
        "file": next((problem.file for problem in error.problems if problem.file), None),
        **dict.fromkeys(("service", "adapter", "cluster")),
        "objects": [],
        "warnings": [],
        "skipped": [],
        "changed": False,
        "to": None,
        "diff": "",
        "failed": [str(problem) for problem in error.problems],
        "notes": [],
        "next": [],
    }
    print_json(document)


def _next(rollback: Rollback) -> list[str]:
    """What brings Pulumi's state to what is live, and from retire the second step."""
    again = [f"{rollback.found.command('rollback')} --now"] if rollback.stage == 100 else []
    return [*edit.commands(rollback.opened), *again]


def _document(rollback: Rollback, agreed: bool, following: list[str]) -> dict[str, Any]:
    place = rollback.found.place
    written = {step.status.at: (done, seconds) for step, done, seconds in rollback.written}
    objects = []
    for step in rollback.to_write:
        assert step.wanted, "only what is to be written"
        done, seconds = written.get(step.status.at, (None, None))
        wanted = step.status.target.weights(step.wanted)
        objects.append(
            {
                "object": step.status.at,
                "from": {"stage": step.status.stage, "weights": dict(step.status.live or {})},
                "to": {"stage": step.wanted.stage, "weights": wanted},
                "written": done is not None,
                "manager": done.manager if done else None,
                "seconds": round(seconds, 3) if seconds is not None else None,
            }
        )
    return {
        "stack": rollback.opened.file.stack,
        "file": str(rollback.opened.file.path),
        "service": place.service,
        "adapter": place.adapter,
        "cluster": rollback.access.said,
        "objects": objects,
        "warnings": rollback.warnings,
        "skipped": rollback.skipped,
        "changed": agreed and rollback.edited is not None,
        "to": rollback.stage,
        "diff": _diff(rollback),
        "failed": [*rollback.failed, *([rollback.problem] if rollback.problem else [])],
        "notes": rollback.notes,
        "next": following,
    }
