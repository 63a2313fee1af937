"""`rollout rollback --now`: break-glass. The live weights first, read back; then the stack file; then what to run.

It needs the stack file for names, and the rights to get and patch the route and the splits; no Pulumi, lock or pull request. A
file that cannot be used, and a stdout that cannot be written, do not hold it up: see now_names and output. How an object is
written, and why so: observe/patch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import typer

from inference_rollouts.cli import edit, now_names
from inference_rollouts.cli.edit import How
from inference_rollouts.cli.now_plan import Rollback, edit_file, look, question, warn
from inference_rollouts.cli.now_said import answer, failure, show
from inference_rollouts.cli.output import dispensable, is_lost
from inference_rollouts.cli.who import who
from inference_rollouts.edit import live_words, words
from inference_rollouts.edit.writing import replace_file
from inference_rollouts.errors import InputError
from inference_rollouts.manifests.inference_pool import POOL_GROUP
from inference_rollouts.observe.patch import NotWritten, Now, Writer, write


def rollback_now(stack: str, name: str | None, how: How) -> None:
    """Give the old version all the traffic again, in the cluster, at once.

    Raises:
        InputError: when file or cluster cannot be read, or nothing there can be written.
        typer.Exit: 1 when nothing, or not everything, was written.
    """
    if how.yes:
        dispensable()
    try:
        _rollback_now(stack, name, how)
    except InputError as e:
        dispensable()  # the sentence comes on stderr
        if how.as_json:  # raised before the answer alone, so there is one document
            failure(stack, e)
        raise


def _rollback_now(stack: str, name: str | None, how: How) -> None:
    names = now_names.find(stack, name)
    writer, rollback = look(names.opened, names.found, names.service)
    if names.commit:
        rollback.skipped.append(names.left_alone)
        rollback.problem = names.to_mend(rollback.stage or "prepare")
    else:
        edit_file(rollback)
    if not how.yes:
        warn(rollback, writer)
    if not how.as_json:
        show(rollback, how)
    agreed = bool(rollback.to_write or rollback.edited) and edit.may_write(question(rollback), how)
    if agreed:
        _write(rollback, writer)
        _write_file(rollback)
    if how.yes:
        warn(rollback, writer)
    answer(rollback, how, agreed=agreed)
    if agreed and is_lost():
        _say_again(rollback)
    if rollback.failed or rollback.problem or (not agreed and (rollback.to_write or rollback.edited)):
        raise typer.Exit(1)


def _write(rollback: Rollback, writer: Writer) -> None:
    group, namespace = POOL_GROUP[rollback.service.record.door["inferenceApi"]], rollback.service.route.namespace
    for step in rollback.to_write:
        assert step.wanted, "only what is to be written"
        now = Now(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", who(), step.origin)
        began = time.monotonic()
        try:
            done = write(writer, namespace, step.status.target, step.wanted, group=group, now=now)
            rollback.written.append((step, done, time.monotonic() - began))
        except NotWritten as e:
            rollback.failed.append(str(e))
        except Exception as e:  # an object of a shape that nobody foresaw must end in words, and keep no other from being written
            rollback.failed.append(live_words.of_another_shape(step.status.at, f"{type(e).__name__}: {e}"))
    if rollback.to_write and not rollback.failed:
        rollback.notes += _afterwards(rollback)


def _say_again(rollback: Rollback) -> None:
    """On stderr, what was written: stdout could not tell."""
    for step, done, seconds in rollback.written:
        sys.stderr.write(f"{live_words.written_now(step.status.at, done.after, seconds)}\n")
    if rollback.edited:
        sys.stderr.write(f"{words.wrote(rollback.opened.file.path)}\n")


def _afterwards(rollback: Rollback) -> Iterator[str]:
    what = rollback.found.what
    if rollback.stage == 100:
        yield live_words.now_by_100(what, f"{rollback.found.command('rollback')} --now")
        return
    gke = rollback.service.route.gke and rollback.found.place.adapter is None
    yield live_words.gateway_follows() if gke else live_words.other_writers()
    if any(step.origin == "retire" for step in rollback.to_write):
        yield live_words.skipped_100(what)


def _write_file(rollback: Rollback) -> None:
    if rollback.edited is None:
        return
    if rollback.failed:
        rollback.edited = None  # a file that says what does not stand would hide that
        rollback.problem = live_words.file_not_edited("not everything in the cluster was written")
        return
    try:
        replace_file(rollback.opened.file.path, rollback.opened.data, rollback.edited.data)
    except InputError as e:
        rollback.edited, rollback.problem = None, live_words.file_not_edited(str(e))
