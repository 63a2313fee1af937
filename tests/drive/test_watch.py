"""`rollout watch`: only checks, and the way back."""

from __future__ import annotations

import pytest

from inference_rollouts.drive.vigil import Patience
from inference_rollouts.drive.watch import watch
from inference_rollouts.edit.target import Refused
from tests.drive.playing import BEGAN, BY_HAND, FAIL, PASS, UNKNOWN, World, checks_at, world


def watched(played: World, *, abort: bool = True, seconds: float = 600):
    return played.hear(watch(played.driver(Patience(interval=60)), seconds, abort=abort))


def test_checks_that_pass_for_the_whole_time_are_well(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)

    last = watched(played)

    assert (last.kind, last.code, played.times) == ("watched", 0, {10: 11})
    assert (played.time - BEGAN).total_seconds() == 600
    assert played.engine.asked == []


def test_checks_that_keep_failing_take_the_rollout_back(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 50, onFailure="hold")
    played.answer = checks_at(50, FAIL, first=3)

    last = watched(played)

    assert (last.kind, last.code) == ("rolled back", 3)
    assert (played.file, played.deployed, played.engine.weights["llm-new"]) == ("prepare", "prepare", 0)
    assert (played.time - BEGAN).total_seconds() == 180


def test_from_retire_the_way_back_is_100_and_then_prepare(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "retire")
    played.answer = checks_at("retire", FAIL)

    last = watched(played)

    assert (last.kind, played.file, played.deployed) == ("rolled back", "prepare", "prepare")
    assert [event.stage for event in played.told if event.kind == "write"] == [100, "prepare"]


def test_without_abort_a_failure_is_reported_and_nothing_is_done(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 50)
    played.answer = checks_at(50, FAIL)

    last = watched(played, abort=False)

    assert (last.kind, last.code, last.next) == ("failing", 3, "rollout rollback node-update llm")
    assert (played.deployed, played.engine.asked) == (50, [])


@pytest.mark.parametrize(("finding", "kind"), [(UNKNOWN, "held"), (BY_HAND, "held")])
def test_what_is_unknown_or_done_by_hand_is_no_failure_of_the_canary(tmp_path, monkeypatch, finding, kind):
    played = world(tmp_path, monkeypatch, 50)
    played.answer = checks_at(50, finding)

    last = watched(played)

    assert (last.kind, last.code, played.deployed) == (kind, 3, 50)
    assert played.engine.asked == []


def test_where_the_canary_has_no_traffic_there_is_nothing_to_watch(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "prepare")

    last = watched(played)

    assert (last.kind, last.code, played.times) == ("watched", 0, {})


def test_ctrl_c_ends_it(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.wishes = (5,)

    assert watched(played).kind == "stopped"


def test_unknown_answers_between_failing_ones_are_no_pardon(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    answers = {1: (FAIL,), 2: (UNKNOWN,), 3: (FAIL,)}
    played.answer = lambda _stage, times: answers.get(times, (PASS,))

    assert watched(played).kind == "rolled back"


def test_another_rollout_than_the_one_that_is_deployed_is_refused(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    text = played.engine.file.read_text("utf-8").replace("to: llm-new,", "to: llm-newer,")
    played.engine.file.write_text(text.replace("llm-new:\n", "llm-newer: { like: llm-new }\n        llm-new:\n"), "utf-8")

    with pytest.raises(Refused, match="what is deployed is a rollout from llm to llm-new, and the file has another"):
        watched(played)
