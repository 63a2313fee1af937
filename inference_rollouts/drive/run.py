"""`rollout run`: up the ladder, rung by rung: preview, wait with open eyes, write the file, update.

The file is the input of the update, so it is written before; and put back to what is deployed when the update is refused. So
the file says the deployed stage at every moment but while an update runs; a runner that dies just then leaves it a rung ahead,
or on its way back, and `rollout recover` tells which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from inference_rollouts import stages
from inference_rollouts.drive import words
from inference_rollouts.drive.clock import Clock, Stop
from inference_rollouts.drive.engine import Engine, EngineFailure, OnOperation, Update
from inference_rollouts.drive.events import Event, Kind, Wait
from inference_rollouts.drive.live import Asker
from inference_rollouts.drive.path import path_of
from inference_rollouts.drive.state import Deployed
from inference_rollouts.drive.subject import Subject
from inference_rollouts.drive.vigil import Patience, Vigil
from inference_rollouts.errors import InputError
from inference_rollouts.record import Record
from inference_rollouts.stages import Stage

Telling = Iterator[Event | Wait]


@dataclass
class Driver:
    """Moves one rollout, with everything that it needs of the world given.

    Attributes:
        subject: the rollout.
        engine: Pulumi.
        asker: the cluster and the metrics.
        clock: time.
        agreed: asks a person a question that is answered by yes or no.
        stop: the wish to stop.
        patience: how rungs are watched.
        on_operation: told of each operation of an update as it begins.
        stage: where the rollout stands, as far as the driver knows.
    """

    subject: Subject
    engine: Engine
    asker: Asker
    clock: Clock
    agreed: Callable[[str], bool]
    stop: Stop = field(default_factory=Stop)
    patience: Patience = field(default_factory=Patience)
    on_operation: OnOperation = lambda _: None
    stage: Stage = field(default="baseline", init=False)
    _over: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.what = self.subject.target().what
        self._previewed = self.subject.path.read_bytes()
        self.vigil = Vigil(self.what, self.asker, self.clock, self.stop, self.patience)

    # --- up the ladder ------------------------------------------------------------------------------------------------

    def run(self, until: str = "100") -> Telling:
        """Up to a stage. The last event has the exit code: 0 reached, 1 declined, 3 rolled back, held, stopped or stuck.

        Args:
            until: a stage of the ladder.

        Raises:
            InputError: when there is no such stage, or the file has problems.
            Refused: when file and state do not agree on where the rollout stands.
            EngineFailure: when the state cannot be read.
        """
        here, path = path_of(self.subject, self.engine.deployed(), until)
        yield from self.surely(self._climb(here, path))

    def surely(self, telling: Telling) -> Telling:
        """What goes wrong once a run has begun is its last event: so nothing that was told is lost."""
        try:
            yield from telling
        except (InputError, EngineFailure) as e:
            yield self.end("stuck", words.stuck(self.what), self.stage, tuple(str(e).splitlines()), self._recover)

    def _climb(self, here: Stage, path: tuple[Stage, ...]) -> Telling:
        self.stage = here
        if not path:
            yield self.end("reached", words.reached_already(self.what, here), here, following=self._after(here), code=0)
            return
        yield self.event("plan", words.itinerary(self.what, here, path, self.subject.rollout), here)
        yield from self._seen(here, path[0])
        if not self._over and not self.agreed(words.go_on(self.subject.path)):
            yield self.end("declined", words.declined(), here, code=1)
        for number, following in enumerate(path):
            if not self._over:
                yield from self._rung(self.stage, following, seen=number == 0)
        if not self._over:
            yield from self._watched(self.stage, None)
        if not self._over:
            yield self.end("reached", words.reached(self.what, self.stage), self.stage, (), self._after(self.stage), code=0)

    # --- one rung -----------------------------------------------------------------------------------------------------

    def _seen(self, here: Stage, following: Stage, *, told: bool = True) -> Telling:
        """The preview of a rung; the end where it is refused, or does more than a rung does."""
        with self.subject.draft(following) as draft:
            self._previewed = draft.read_bytes()
            found = self.engine.preview(draft)
        if not found.done:
            refused = self._held(words.preview_refused(self.what, here, following), here, found)
            yield self._stopped(here) if self.stop.wished else refused
            return
        if told:
            yield self.event("preview", words.previewed(self.what, here, following), following, operations=found.operations)
        if harm := [o.title for o in found.operations if o.op in ("delete", "replace")]:
            yield self._held(words.does_more(self.what, following, harm), here, found)
        elif others := self.subject.others(self.engine.deployed()):
            yield self._held(words.moves_others(self.what, following, others), here, found)

    def _rung(self, here: Stage, following: Stage, *, seen: bool) -> Telling:
        """From one rung to the next: watch the one, preview the other, and go there.

        Args:
            seen: whether the preview has just been told.
        """
        began = self.clock.now()
        if _asks(here, following):
            yield from self._watched(here, following)
        if self._over:
            return
        # Whoever edited the file in the meantime has edited what goes with this update, too.
        if not seen or self.clock.now() > began:
            yield from self._seen(here, following, told=not seen)
        if self.stop.wished and not self._over:
            yield self._stopped(here)
        if not self._over and self.subject.edited(following)[1] != self._previewed:
            again = self.subject.command("run")
            yield self.end("held", words.edited_meanwhile(self.what, self.subject.path), here, following=again)
        if self._over:
            return
        yield from self._written(following)
        found = self.engine.up(words.message(self.what, here, following), self.on_operation)
        yield from self._arrived(here, following, found)

    def _arrived(self, here: Stage, following: Stage, found: Update) -> Telling:
        """What an update came to. The state says what is deployed, whatever the update says of itself."""
        deployed = self._stage(self.engine.deployed())
        if found.done and deployed == following:
            self.stage = following
            yield self.event("rung", words.arrived(self.what, following), following)
        elif found.done or deployed not in (here, following):
            said = words.moved_meanwhile(self.what, following, deployed)
            yield self.end("stuck", said, deployed, found.reasons, self._recover)
        elif found.ended == "cancelled":
            yield from self._written(deployed)
            yield self.end("stopped", words.cancelled(self.what, deployed), deployed, found.reasons, self._recover)
        elif deployed == here:
            yield from self._written(here)
            yield self._held(words.update_refused(self.what, here, following), here, found)
        else:
            yield from self._half_way(here, following, found)

    def _half_way(self, here: Stage, following: Stage, found: Update) -> Telling:
        """The record has moved, and something after it failed."""
        yield self.event("update", words.half_way(self.what, following), following, found.reasons)
        if stages.canary_weight(following) == 0:
            # No weight has moved: what was begun stays, and the next update tries it again.
            yield self.end("held", words.try_again(self.what, following), following, following=self.subject.command("run"))
        elif following == "retire" or self._holds:
            yield from self.fall(here, words.back_a_rung(self.what, here), ())
        else:
            yield from self.fall("prepare", words.falls(self.what), ())

    def _watched(self, here: Stage, following: Stage | None) -> Telling:
        """Wait at a rung; the end where it does not come out well."""
        yield from self.vigil.until_ready(here, following, self._record())
        reasons = self.reasons
        match self.vigil.ended:
            case "passed":
                return
            case "stopped":
                yield self._stopped(here)
            case "by hand":
                yield self.end("held", words.by_hand(self.what, here), here, reasons, self._recover)
            case "unclear":
                again = self.subject.command("run")
                yield self.end("held", words.unclear(self.what, here, self.patience.limit), here, reasons, again)
            case "failed" if self._holds:
                yield self.end("held", words.failed_held(self.what, here), here, reasons, self.subject.command("rollback"))
            case "failed":
                yield from self.fall("prepare", words.failed_falls(self.what, here), reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the rung is not well, from the last answers."""
        last = self.vigil.last
        return tuple(dict.fromkeys(finding.sentence for finding in (*last.of("fail"), *last.of("unknown"))))

    # --- the way back -------------------------------------------------------------------------------------------------

    def fall(self, to: Stage, why: str, reasons: tuple[str, ...]) -> Telling:
        """Back to a stage, asking nothing; from `retire` by 100. Ends the run."""
        yield self.event("failing", why, to, reasons)
        now = f"{self.subject.command('rollback')} --now"
        unwritten: tuple[str, ...] = ()
        for stage in (100, to) if self._surely_stage() == "retire" and to != 100 else (to,):
            unwritten = ()
            try:
                yield from self._written(stage)
            except InputError as e:
                unwritten = tuple(str(e).splitlines())
            found = self._up_to(stage, previewed=bool(unwritten))
            if not found.done:
                yield self.end("stuck", words.fall_failed(self.what, stage, now), stage, unwritten + found.reasons, self._recover)
                return
        said = words.rolled_back(self.what, to)
        if unwritten:
            said = words.rolled_back_unwritten(said, self.subject.path, to)
        yield self.end("rolled back", said, to, unwritten)

    def _up_to(self, stage: Stage, *, previewed: bool) -> Update:
        """The update of a way back; from the file as it was previewed where what somebody has made of it since cannot be used."""
        message = words.message(self.what, None, stage)
        if not previewed:
            return self.engine.up(message, self.on_operation)
        with self.subject.draft(stage, self._previewed) as draft:
            return self.engine.up(message, self.on_operation, draft)

    # --- small steps --------------------------------------------------------------------------------------------------

    def _written(self, stage: Stage) -> Telling:
        if self.subject.write(stage):
            yield self.event("write", words.written(self.subject.path, stage), stage)

    def _record(self) -> Record:
        return self.engine.deployed().records[self.subject.place.service]

    def _stage(self, state: Deployed) -> Stage:
        split = self.subject.deployed(state)
        return "baseline" if split is None else split.stage

    @property
    def _holds(self) -> bool:
        """What `onFailure` says; where the file cannot be read any more, as it was previewed."""
        try:
            return self.subject.rollout.on_failure == "hold"
        except InputError:
            return self.subject.rollout_in(self._previewed).on_failure == "hold"

    def _surely_stage(self) -> Stage:
        """For the way back, which no state that cannot be read may hold up: then it is where the driver last knew it."""
        try:
            return self._stage(self.engine.deployed())
        except EngineFailure:
            return self.stage

    @property
    def _recover(self) -> str:
        return f"rollout recover {self.subject.stack}"

    def _after(self, here: Stage) -> str | None:
        if here == "retire":
            return self.subject.command("finish")
        return f"{self.subject.command('run')} --until retire" if here == 100 else self.subject.command("run")

    def _stopped(self, here: Stage) -> Event:
        return self.end("stopped", words.stopped(self.what, here), here, following=self.subject.command("run"))

    def _held(self, sentence: str, here: Stage, found: Update) -> Event:
        following = self._recover if found.ended == "locked" else None
        return self.end("held", sentence, here, found.reasons, following)

    def event(self, kind: Kind, sentence: str, stage: Stage, reasons: tuple[str, ...] = (), **more: Any) -> Event:
        """Something to tell."""
        return Event(at=self.clock.now(), kind=kind, sentence=sentence, stage=stage, reasons=reasons, **more)

    def end(
        self,
        kind: Kind,
        sentence: str,
        stage: Stage,
        reasons: tuple[str, ...] = (),
        following: str | None = None,
        *,
        code: int = 3,
    ) -> Event:
        """The last thing to tell."""
        self._over = True
        return self.event(kind, sentence, stage, reasons, next=following, code=code)


def _asks(here: Stage, following: Stage) -> bool:
    """Whether there is anything to watch before a move: traffic on the canary, or the first raise."""
    return stages.canary_weight(here) > 0 or stages.canary_weight(following) > stages.canary_weight(here)
