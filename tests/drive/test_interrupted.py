"""A runner that is stopped or dies at any point: file, state and cluster agree, or `recover` brings them together."""

from __future__ import annotations

import pytest

from inference_rollouts.stages import canary_weight
from tests.drive.playing import FAIL, World, checks_at, world
from tests.drive.scripted import Killed

LADDER = ("baseline", "prepare", 10, 100, "retire")
STORIES = {
    "up the ladder": ("baseline", "retire", None),
    "a failing check at the second rung": (10, "100", checks_at(100, FAIL)),
}


def story(folder, monkeypatch, name: str) -> tuple[World, str]:
    stage, until, answer = STORIES[name]
    played = world(folder, monkeypatch, stage, steps="[10, 100]")
    if answer:
        played.answer = answer
    return played, until


def points(tmp_path, monkeypatch, name: str) -> list[str]:
    """Every point of a story at which something can happen."""
    played, until = story(tmp_path / "whole", monkeypatch, name)
    played.run(until)
    return played.ticks


def numbered(ticks: list[str]) -> list[tuple[int, str]]:
    """The points that are played, by number: of the many alike operations of an update three kinds stand for all."""
    shown = ("ModelService", "NodePool", "HTTPRoute")
    alike = ("begins", "wrote", "ended")
    return [(n, p) for n, p in enumerate(ticks, 1) if p.split()[0] not in alike or p.split()[1] in shown]


def agree(played: World) -> bool:
    """Whether file, state and the live route are on one rung."""
    live = played.engine.weights.get("llm-new", 0)
    return played.file == played.deployed and live == canary_weight(played.deployed)


@pytest.mark.parametrize("name", STORIES)
def test_a_runner_that_dies_at_any_point_leaves_what_recover_brings_together(tmp_path, monkeypatch, name):
    ticks = points(tmp_path, monkeypatch, name)
    assert len(ticks) > 30, "there is something to die from"
    for number, point in numbered(ticks):
        played, until = story(tmp_path / str(number), monkeypatch, name)
        played.dies = number
        with pytest.raises(Killed):
            played.run(until)
        assert played.file in LADDER, point
        before = canary_weight(played.deployed), played.engine.weights.get("llm-new", 0)
        played.goes_on()
        last = played.recover()
        assert (last.kind, last.code) == ("mended", 0), (point, played.told)
        assert agree(played), point
        after = played.engine.weights.get("llm-new", 0)
        assert after <= max(before), f"{point}: a recovery raises nothing"
        assert played.engine.lock is None or not played.engine.pending, point


@pytest.mark.parametrize("name", STORIES)
def test_after_a_recovery_the_run_goes_on(tmp_path, monkeypatch, name):
    ticks = points(tmp_path, monkeypatch, name)
    for number in range(3, len(ticks), 7):
        played, until = story(tmp_path / str(number), monkeypatch, name)
        played.dies = number
        with pytest.raises(Killed):
            played.run(until)
        played.goes_on()
        played.recover()
        played.goes_on()
        if played.file != "retire":
            assert played.run(until).kind in ("reached", "rolled back"), ticks[number - 1]
        assert agree(played)


def test_a_recovery_that_dies_at_any_point_can_be_run_again(tmp_path, monkeypatch):
    def broken(folder) -> World:
        played, until = story(folder, monkeypatch, "up the ladder")
        played.dies = next(n for n, point in enumerate(ticks, 1) if point == "wrote HTTPRoute routes-to-llm" and n > half)
        with pytest.raises(Killed):
            played.run(until)
        played.goes_on()
        played.ticks.clear()
        return played

    ticks = points(tmp_path, monkeypatch, "up the ladder")
    half = len(ticks) // 2
    whole = broken(tmp_path / "recovered")
    whole.recover()
    assert len(whole.ticks) > 10
    for number in range(1, len(whole.ticks) + 1):
        played = broken(tmp_path / str(number))
        played.dies = number
        with pytest.raises(Killed):
            played.recover()
        played.goes_on()
        assert played.recover().code == 0, whole.ticks[number - 1]
        assert agree(played)


@pytest.mark.parametrize("name", STORIES)
def test_ctrl_c_at_any_point_leaves_a_rung_on_which_all_agree(tmp_path, monkeypatch, name):
    ticks = points(tmp_path, monkeypatch, name)
    for number, point in numbered(ticks):
        played, until = story(tmp_path / str(number), monkeypatch, name)
        played.wishes = (number,)
        last = played.run(until)
        assert agree(played), point
        assert played.engine.lock is None
        assert last.kind in ("stopped", "reached", "rolled back"), point
        if last.kind == "stopped":
            assert last.next == "rollout run node-update llm", "nothing has to be recovered"


@pytest.mark.parametrize("name", STORIES)
def test_ctrl_c_twice_cancels_the_update_and_says_recover(tmp_path, monkeypatch, name):
    ticks = points(tmp_path, monkeypatch, name)
    cancelled = 0
    for number, _ in numbered(ticks)[:-1]:
        played, until = story(tmp_path / str(number), monkeypatch, name)
        played.wishes = (number, number + 1)
        last = played.run(until)
        assert played.file in LADDER
        if not agree(played):
            cancelled += 1
            assert last.next == "rollout recover node-update", ticks[number - 1]
        played.goes_on()
        assert played.recover().code == 0
        assert agree(played), ticks[number - 1]
    assert cancelled, "some of them cut an update in two"
