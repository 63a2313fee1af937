"""`rollout watch`: only checks, at the rung that stands; and, when asked to, the way back."""

from __future__ import annotations

from inference_rollouts import stages
from inference_rollouts.drive import words
from inference_rollouts.drive.path import deployed_stage
from inference_rollouts.drive.run import Driver, Telling
from inference_rollouts.record import Record
from inference_rollouts.stages import Stage


def watch(driver: Driver, seconds: float, *, abort: bool) -> Telling:
    """Watch the deployed rung for a time. The last event has the exit code: 0 when the checks pass, else 3.

    Args:
        driver: of the rollout.
        seconds: how long.
        abort: whether failing checks take the rollout back to `prepare`.

    Raises:
        Refused: when the service is not deployed, or another rollout is.
        EngineFailure: when the state cannot be read.
    """
    state = driver.engine.deployed()
    subject = driver.subject
    driver.stage = deployed_stage(subject, subject.target(), subject.deployed(state))
    record = state.records[subject.place.service]
    yield from driver.surely(_watch(driver, driver.stage, record, seconds, abort=abort))


def _watch(driver: Driver, here: Stage, deployed: Record, seconds: float, *, abort: bool) -> Telling:
    what, subject, vigil = driver.what, driver.subject, driver.vigil
    if not stages.canary_weight(here):
        yield driver.end("watched", words.nothing_to_watch(what, here), here, code=0)
        return
    yield driver.event("plan", words.watching(what, here, seconds, vigil.patience.interval, abort=abort), here)
    yield from vigil.for_a_time(here, deployed, seconds)
    match vigil.ended:
        case "passed":
            yield driver.end("watched", words.watched(what, here, seconds), here, code=0)
        case "failed" if abort:
            yield from driver.fall("prepare", words.failed_falls(what, here), driver.reasons)
        case "failed":
            yield driver.end("failing", words.failing(what, here), here, driver.reasons, subject.command("rollback"))
        case "by hand":
            yield driver.end("held", words.by_hand(what, here), here, driver.reasons, f"rollout recover {subject.stack}")
        case "unclear":
            yield driver.end("held", words.not_clear(what, here, seconds), here, driver.reasons)
        case "stopped":
            yield driver.end("stopped", words.watch_stopped(what, here), here)
