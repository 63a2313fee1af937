"""A world to drive in: a project with one stack, a scripted engine, asker and clock, and points at which things happen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.checks import Finding
from inference_rollouts.drive import subject as subjects
from inference_rollouts.drive.clock import Stop
from inference_rollouts.drive.events import Event, Wait
from inference_rollouts.drive.live import Asked
from inference_rollouts.drive.recover import Recovery
from inference_rollouts.drive.run import Driver
from inference_rollouts.drive.subject import Subject
from inference_rollouts.drive.vigil import Patience
from inference_rollouts.edit.meaning import Place
from inference_rollouts.record import Record
from inference_rollouts.settings.stack_file import read
from inference_rollouts.stages import Stage
from tests.conftest import ROOT
from tests.drive.scripted import Killed, ScriptedStack

BEGAN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PASS = Finding("canary ready", "pass", "2 of 2 replicas available", "2", "Deployment default/llm-new")
FAIL = Finding("error-ratio", "fail", "0.12", "at most 0.05 in 300 s", "llm-new, http://prometheus")
UNKNOWN = Finding("error-ratio", "unknown", "no answer: time-out", "at most 0.05 in 300 s", "llm-new, http://prometheus")
BY_HAND = Finding("live weights", "fail", "llm 100, llm-new 0", "llm 90, llm-new 10", "HTTPRoute default/routes-to-llm")

Answer = Callable[[Stage, int], tuple[Finding, ...]]
"""From a stage, and how often it was asked about, to the findings."""


OTHER = """
    other:
      serving: other
      route: { hostnames: [other.example.com] }
      versions: { other: { external: { pool: somewhere } } }
      decommission: true
"""
"""One more service at the end of a stack file, which the update after may take away."""


@dataclass
class World:
    """Everything that a driver is given.

    Attributes:
        answer: what checks say.
        bake: seconds that every rung has to stand.
        says: answers to questions; yes to all that are not in it, by a part of the question.
        dies: the tick at which the runner is gone.
        wishes: the ticks at which somebody wishes to stop.
    """

    folder: Path
    name: str
    engine: ScriptedStack
    place: Place
    answer: Answer = lambda _stage, _times: (PASS,)
    bake: float = 0
    says: dict[str, bool] = field(default_factory=dict)
    dies: int | None = None
    wishes: tuple[int, ...] = ()
    time: datetime = BEGAN
    ticks: list[str] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    reached: dict[Stage, datetime] = field(default_factory=dict)
    times: dict[Stage, int] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)

    # --- what happens -------------------------------------------------------------------------------------------------

    def tick(self, point: str) -> None:
        """A point at which a runner can die, or somebody wish to stop; a long sleep is one."""
        if point == "slept" and self.ticks[-1:] == [point]:
            return
        self.ticks.append(point)
        if self.dies == len(self.ticks):
            raise Killed(point)
        if len(self.ticks) in self.wishes:
            self.stop.wish()

    def agreed(self, question: str) -> bool:
        self.questions.append(question)
        self.tick("asked a person")
        return next((yes for part, yes in self.says.items() if part in question), True)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.tick("slept")

    def ask(self, here: Stage, following: Stage | None, deployed: Record, now: datetime) -> Asked:
        self.tick("asked the cluster")
        del following, deployed
        self.times[here] = self.times.get(here, 0) + 1
        since = self.reached.setdefault(here, now)
        left = max(0.0, self.bake - (now - since).total_seconds())
        return Asked(self.answer(here, self.times[here]), left, self.bake)

    # --- what is driven -----------------------------------------------------------------------------------------------

    @property
    def subject(self) -> Subject:
        return Subject(self.engine.file, self.name, self.place)

    def driver(self, patience: Patience | None = None) -> Driver:
        self.stop = Stop(self.engine.interrupt)
        return Driver(self.subject, self.engine, self, self, self.agreed, self.stop, patience or Patience(), lambda _: None)

    def run(self, until: str = "100", patience: Patience | None = None) -> Event:
        """Run, and the last event."""
        return self.hear(self.driver(patience).run(until))

    def recover(self) -> Event:
        """Recover, and the last event."""
        backups = self.folder / "backups"
        return self.hear(Recovery((self.subject,), self.name, self.engine, self, self.agreed, backups).recover())

    def hear(self, telling: Any) -> Event:
        for told in telling:
            if isinstance(told, Event):
                self.told.append(told)
                self.tick(f"told {told.kind}")
            else:
                self.waits.append(told)
        assert [event.code is not None for event in self.told[-1:]] == [True], "the last event has the exit code"
        return self.told[-1]

    def goes_on(self) -> None:
        """Nobody dies and nobody wishes any more; what was told is forgotten."""
        self.dies, self.wishes = None, ()
        self.told.clear()
        self.stop = Stop()

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def file(self) -> Stage:
        """The stage in the file."""
        return self.place.block(read(self.engine.file).config)["rollout"]["stage"]

    @property
    def deployed(self) -> Stage:
        """The stage in the state."""
        record = self.engine.deployed().records[self.place.service]
        return (record.pools if self.place.adapter is None else record.adapters[self.place.adapter]).stage

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.told]


def world(folder: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage, example: str = "node-update", **rollout: str) -> World:
    """An example, deployed at a stage, with more keys in its rollout."""
    stacks = folder / "stacks"
    stacks.mkdir(parents=True)
    file = stacks / f"Pulumi.{example}.yaml"
    text = (ROOT / "stacks" / file.name).read_text("utf-8")
    more = "".join(f", {key}: {value}" for key, value in rollout.items() if key != "steps")
    text = re.sub(r"stage: \w+", f"stage: {stage}{more}", text)
    if "steps" in rollout:
        text = re.sub(r"steps: \[[^\]]*\]", f"steps: {rollout['steps']}", text)
    file.write_text(text, "utf-8")
    engine = ScriptedStack(ROOT, example, file)
    place = Place("llm", "llm") if example == "lora-adapter" else Place("llm")
    engine.deploy()
    made = World(folder, example, engine, place)
    engine.tick = made.tick

    def writing(path: Path, old: bytes, new: bytes) -> None:
        made.tick("before the file is written")
        assert path.read_bytes() == old
        path.write_bytes(new)  # in one step, as tests/edit shows; without its wait for the disk
        made.tick("the file is written")

    monkeypatch.setattr(subjects, "replace_file", writing)
    return made


def checks_at(stage: Stage, *findings: Finding, first: int = 1) -> Answer:
    """These findings at one stage from the nth question on; everything passes elsewhere."""
    return lambda here, times: findings if here == stage and times >= first else (PASS,)
