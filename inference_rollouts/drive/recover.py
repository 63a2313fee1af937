"""`rollout recover`: after a runner that died: lock, pending operations, the live weights, and then one rung for all.

Each step asks, each leaves something that stands, and all of them together can be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference_rollouts import naming
from inference_rollouts.drive import recover_words, words
from inference_rollouts.drive.clock import Clock
from inference_rollouts.drive.engine import Engine, EngineFailure, Locked, OnOperation
from inference_rollouts.drive.events import Event, Kind
from inference_rollouts.drive.standing import Live, Standing, Way, seen, told, way
from inference_rollouts.drive.state import Deployed
from inference_rollouts.drive.subject import Subject
from inference_rollouts.edit.target import Target
from inference_rollouts.errors import InputError
from inference_rollouts.observe.from_plan import ready_target
from inference_rollouts.observe.targets import SplitTarget
from inference_rollouts.stages import Stage

Telling = Iterator[Event]


@dataclass
class Recovery:
    """Brings a stack's rollouts together again, with everything that it needs of the world given.

    Attributes:
        subjects: every rollout of the stack file.
        stack: the stack, as Pulumi calls it.
        engine: Pulumi.
        clock: time.
        agreed: asks a person a question that is answered by yes or no.
        backups: the folder for backups of the state.
        on_operation: told of each operation of an update as it begins.
    """

    subjects: tuple[Subject, ...]
    stack: str
    engine: Engine
    clock: Clock
    agreed: Callable[[str], bool]
    backups: Path
    on_operation: OnOperation = lambda _: None
    _over: bool = False

    def recover(self) -> Telling:
        """All steps. The last event has the exit code: 0 when file, state and live weights agree, else 3."""
        try:
            yield from self._recover()
        except (InputError, EngineFailure) as e:
            yield self._end("stuck", words.stuck(f"stack {self.stack}"), tuple(str(e).splitlines()))

    def _recover(self) -> Telling:
        state = self.engine.deployed()
        clear = False
        if state.pending:
            yield from self._pending(state)
            clear = bool(state.creating) and self.agreed(recover_words.ask_clear([p.title for p in state.creating]))
            if clear:
                yield self._event("pending", recover_words.backed_up(self._backup()))
            elif state.creating:
                yield self._event("pending", recover_words.kept_creates(self.stack))
        live = bool(state.splits) and self.agreed(recover_words.ask_refresh(len(state.splits)))
        if live or clear:
            yield from self._refresh([split.urn for split in state.splits], clear=clear)
            if self._over:
                return
            state = self.engine.deployed()
        elif state.splits:
            yield self._event("refresh", recover_words.not_refreshed())
        yield from self._together(state, live=live)

    # --- lock and state -----------------------------------------------------------------------------------------------

    def _pending(self, state: Deployed) -> Telling:
        titles = [f"{p.kind} {p.title}" for p in state.pending]
        sentence = recover_words.pending(titles, [p.title for p in state.creating])
        yield self._event("pending", sentence, reasons=tuple(p.urn for p in state.pending))

    def _backup(self) -> Path:
        try:
            self.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as e:
            raise EngineFailure(f"no backup of the state can be written to {self.backups}: {e.strerror or e}") from e
        path = self.backups / f"{self.stack.replace('/', '-')}-{self.clock.now():%Y%m%dT%H%M%SZ}.json"
        self.engine.backup(path)
        return path

    def _refresh(self, urns: list[str], *, clear: bool) -> Telling:
        """A refresh needs the lock, so it is what finds one."""
        try:
            self.engine.refresh(urns, clear_pending_creates=clear)
        except Locked as e:
            yield self._event("lock", recover_words.locked(), reasons=tuple(str(e).splitlines()))
            if not self.agreed(recover_words.ask_cancel()):
                yield self._end("held", recover_words.still_locked(self.stack))
                return
            self.engine.cancel()
            yield self._event("lock", recover_words.unlocked())
            self.engine.refresh(urns, clear_pending_creates=clear)
        yield self._event("refresh", recover_words.refreshed())

    # --- file, state, live --------------------------------------------------------------------------------------------

    def _together(self, state: Deployed, *, live: bool) -> Telling:
        ways: list[tuple[Subject, str, Way]] = []
        for subject in self.subjects:
            target = subject.target()
            if live and (gone := _gone(subject, state)):
                yield self._end("held", recover_words.gone(target.what, gone), following=f"pulumi preview -s {self.stack}")
                return
            found = self._standing(subject, target, state, live=live)
            if found is None:
                yield self._end(
                    "held", recover_words.just_up(target.what, self.stack), following=f"pulumi preview -s {self.stack}"
                )
                return
            yield self._event("standing", recover_words.standing(target.what, found.file, found.recorded, told(found.live)))
            safe = way(found)
            if safe is None:
                yield self._end("held", recover_words.retire_by_hand(target.what))
                return
            ways.append((subject, target.what, safe))
        yield from self._mend(ways)

    def _standing(self, subject: Subject, target: Target, state: Deployed, *, live: bool) -> Standing | None:
        """None where file and state hold different rollouts."""
        deployed, file = subject.deployed(state), target.split
        if deployed is None or deployed.serving != file.serving or deployed.to not in (None, file.to):
            return None
        seen_live = tuple(self._live(subject, target, state)) if live else ()
        return Standing(file.stage, deployed.stage, seen_live, target.ladder)

    def _live(self, subject: Subject, target: Target, state: Deployed) -> Iterator[Live]:
        wanted = {(split.kind, split.name): split for split in _splits(subject, state)}
        for found in state.splits:
            split = wanted.get((found.kind, found.name))
            one = split and seen(split, found, str(target.split.to), target.ladder)
            if one:
                yield one

    def _mend(self, ways: list[tuple[Subject, str, Way]]) -> Telling:
        for subject, what, safe in ways:
            if not safe.write and not safe.up:
                continue
            if not self.agreed(recover_words.ask_mend(what, safe.to, write=safe.write, up=safe.up)):
                yield self._end("held", recover_words.to_mend(what, safe.to), following=f"rollout recover {self.stack}")
                return
            if subject.write(safe.to):
                yield self._event("write", words.written(subject.path, safe.to), stage=safe.to)
        moving: list[tuple[str, Stage]] = [(what, safe.to) for _, what, safe in ways if safe.up]
        if moving:
            told = recover_words.back(moving)
            # What else waits in the file comes with it, and a recovery has shown nobody what that is.
            shown = self.engine.preview(self.subjects[0].path)
            if harm := [o.title for o in shown.operations if o.op in ("delete", "replace")]:
                yield self._end("held", recover_words.does_more(told, harm), following=f"pulumi preview -s {self.stack}")
                return
            found = self.engine.up(f"rollout: {told}", self.on_operation)
            if not found.done:
                yield self._end("stuck", recover_words.not_mended(told), found.reasons)
                return
        yield from self._agreed(ways, self.engine.deployed())

    def _agreed(self, ways: list[tuple[Subject, str, Way]], state: Deployed) -> Telling:
        following = None
        for subject, what, safe in ways:
            split = subject.deployed(state)
            if split is None or split.stage != safe.to:
                stands = None if split is None else split.stage
                yield self._end("stuck", words.moved_meanwhile(what, safe.to, stands or "nothing"))
                return
            changed = safe.write or safe.up
            sentence = recover_words.mended(what, safe.to) if changed else recover_words.agrees(what, safe.to)
            yield self._event("mended", sentence, stage=safe.to)
            following = following or subject.command("finish" if safe.to == "retire" else "run")
        yield self._end("mended", recover_words.together(self.stack), following=following, code=0)

    def _event(self, kind: Kind, sentence: str, **more: Any) -> Event:
        return Event(at=self.clock.now(), kind=kind, sentence=sentence, **more)

    def _end(
        self, kind: Kind, sentence: str, reasons: tuple[str, ...] = (), following: str | None = None, code: int = 3
    ) -> Event:
        self._over = True
        return self._event(kind, sentence, reasons=reasons, next=following, code=code)


def _gone(subject: Subject, state: Deployed) -> list[str]:
    """Objects that carry a rollout's weights, and that the cluster had not when the state was refreshed."""
    if subject.deployed(state) is None:
        return []
    there = {(split.kind, split.name) for split in state.splits}
    return [f"{split.kind} {split.name}" for split in _splits(subject, state) if (split.kind, split.name) not in there]


def _splits(subject: Subject, state: Deployed) -> list[SplitTarget]:
    """The objects that carry a rollout's weights, by the names that the plan gives them."""
    record = state.records[subject.place.service]
    _, service = subject.planned("prepare")
    ready = ready_target(service, record, ())
    adapter = subject.place.adapter
    if adapter is None:
        return [replace(ready.route, split=service.record.pools)]
    part = f"adapter.{naming.object_name(adapter)}"
    names = {version.splits[part].name for version in service.versions if part in version.splits}
    return [replace(split, split=service.record.adapters[adapter]) for split in ready.splits if split.name in names]
