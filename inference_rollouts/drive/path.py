"""The way of a run: from the deployed stage to the one that is asked for, when file and state agree on where that begins."""

from __future__ import annotations

from inference_rollouts.drive import words
from inference_rollouts.drive.state import Deployed
from inference_rollouts.drive.subject import Subject
from inference_rollouts.edit.target import Refused, Target, stage_of
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.record import Split
from inference_rollouts.stages import Stage


def path_of(subject: Subject, state: Deployed, until: str) -> tuple[Stage, tuple[Stage, ...]]:
    """The deployed stage, and the stages to go through from there; none when it is reached.

    Args:
        subject: the rollout.
        state: what is deployed.
        until: a stage of the ladder.

    Raises:
        InputError: when there is no such stage.
        Refused: when file and state do not agree, or the stage lies behind.
    """
    target = subject.target()
    ladder, file = target.ladder, target.split.stage
    end = _until(until, ladder)
    here = deployed_stage(subject, target, subject.deployed(state))
    # A file that is one rung ahead was written by `rollout start` or `advance`, or by a runner that died before its update.
    ahead = ladder[ladder.index(here) + 1 :] if here in ladder else ()
    if here not in ladder or file not in (here, *ahead[:1]):
        raise Refused(words.file_and_state(target.what, file, here, f"rollout recover {subject.stack}"))
    if ladder.index(end) < ladder.index(file):
        raise Refused(words.beyond(target.what, file, end, subject.command("rollback")))
    return here, ladder[ladder.index(here) + 1 : ladder.index(end) + 1]


def deployed_stage(subject: Subject, target: Target, deployed: Split | None) -> Stage:
    """Where the file's rollout stands in the state.

    Raises:
        Refused: when its service is not deployed, or another rollout is.
    """
    if deployed is None:
        raise Refused(words.not_deployed(target.what, subject.stack))
    if deployed.to is None or (deployed.serving, deployed.to) == (target.split.serving, target.split.to):
        return deployed.stage
    raise Refused(words.another_rollout(target.what, deployed.serving, deployed.to, subject.stack))


def _until(text: str, ladder: tuple[Stage, ...]) -> Stage:
    if text == "finish":
        raise InputError([Problem("--until", words.no_finish())])
    try:
        return stage_of(text, ladder)
    except InputError as e:
        raise InputError(Problem("--until", problem.message) for problem in e.problems) from None
