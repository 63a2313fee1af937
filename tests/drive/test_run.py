"""`rollout run` on a scripted stack: the real program and its real guards, on the model of the engine."""

from __future__ import annotations

import re

import pytest

from inference_rollouts.drive.engine import EngineFailure, Update
from inference_rollouts.drive.vigil import Patience
from inference_rollouts.edit.target import Refused
from inference_rollouts.errors import InputError
from tests.drive.playing import BEGAN, BY_HAND, FAIL, OTHER, PASS, UNKNOWN, checks_at, world

WEIGHTS = {10: {"llm": 90, "llm-new": 10}, 50: {"llm": 50, "llm-new": 50}}


def test_a_run_goes_up_rung_by_rung_and_the_file_the_state_and_the_cluster_agree_at_each(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "prepare", steps="[10, 50, 100]")
    seen = []
    told = played.hear

    def look(event):
        if event.kind == "rung":
            seen.append((event.stage, played.file, played.deployed, played.engine.weights["llm-new"]))
        return event

    last = told(look(event) if hasattr(event, "kind") else event for event in played.driver().run())

    assert seen == [(10, 10, 10, 10), (50, 50, 50, 50), (100, 100, 100, 100)]
    assert (last.kind, last.code, last.stage) == ("reached", 0, 100)
    assert last.next == "rollout run node-update llm --until retire"


def test_it_asks_once_and_says_before_what_it_is_going_to_do(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10, bake="30m", keep="2h", checks="[{name: error-ratio}]")

    played.run("retire")

    assert len(played.questions) == 1
    assert played.told[0].sentence == (
        "service llm: 10 → 25 → 50 → 100 → retire; at least 30m at each rung; 2h at 100; checks: readiness, error-ratio; "
        "a failing check falls to prepare"
    )
    assert played.told[1].kind == "preview"
    changed = [o.kind for o in played.told[1].operations if o.op == "update"]
    assert "HTTPRoute" in changed


def test_without_a_yes_nothing_happens(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.says = {"Go?": False}
    before = played.engine.file.read_bytes()

    last = played.run()

    assert (last.kind, last.code) == ("declined", 1)
    assert played.engine.asked == ["preview"]
    assert played.engine.file.read_bytes() == before


def test_each_rung_stands_as_long_as_it_has_to_and_is_asked_about_all_along(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.bake = 600

    played.run("25")

    assert played.times == {10: 11, 25: 11}, "at the beginning, and every minute of ten, at both rungs"
    assert (played.time - BEGAN).total_seconds() == 1200
    first = played.waits[0]
    assert (first.sentence, first.left, first.total) == ("service llm at 10, next 25", 600, 600)


def test_a_check_that_keeps_failing_falls_to_prepare(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "prepare", steps="[1, 10, 50, 100]")
    played.answer = checks_at(10, FAIL, PASS)

    last = played.run()

    assert (last.kind, last.code, last.stage) == ("rolled back", 3, "prepare")
    assert (played.file, played.deployed, played.engine.weights["llm-new"]) == ("prepare", "prepare", 0)
    failing = next(event for event in played.told if event.kind == "failing")
    assert failing.reasons == (FAIL.sentence,)
    assert played.times[10] == 2, "one failing answer may be noise"


def test_one_failing_answer_is_no_failure(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.bake = 300
    played.answer = lambda stage, times: (FAIL,) if (stage, times) == (10, 2) else (PASS,)

    assert played.run("25").kind == "reached"


def test_the_last_rung_is_watched_too(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 50)
    played.bake = 600
    played.answer = checks_at(100, FAIL, first=3)

    last = played.run()

    assert (last.kind, played.file, played.deployed) == ("rolled back", "prepare", "prepare")


def test_a_failing_check_holds_where_the_setting_says_so(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10, onFailure="hold")
    played.answer = checks_at(25, FAIL)

    last = played.run()

    assert (last.kind, last.code, last.next) == ("held", 3, "rollout rollback node-update llm")
    assert (played.file, played.deployed) == (25, 25)


def test_a_setting_that_was_previewed_counts_where_the_file_is_broken_since(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10, onFailure="hold")

    def breaks(stage, _times):
        if stage == 25:
            played.engine.file.write_text("config: [", "utf-8")
            return (FAIL,)
        return (PASS,)

    played.answer = breaks
    last = played.run()

    assert (last.kind, last.code, played.deployed) == ("held", 3, 25)


def test_what_is_unknown_holds_and_gives_up_when_the_patience_is_over(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.answer = checks_at(25, UNKNOWN)

    last = played.run(patience=Patience(limit=600))

    assert (last.kind, last.code, last.reasons) == ("held", 3, (UNKNOWN.sentence,))
    assert (played.file, played.deployed) == (25, 25)
    assert (played.time - BEGAN).total_seconds() == 600


def test_what_becomes_known_in_time_goes_on(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.answer = lambda stage, times: (UNKNOWN,) if times < 5 else (PASS,)

    assert played.run("25").kind == "reached"


def test_a_failing_check_at_prepare_is_waited_for_since_there_is_nothing_to_fall_from(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "prepare")
    played.answer = checks_at("prepare", FAIL)

    last = played.run("1", Patience(limit=300))

    assert (last.kind, played.file, played.deployed) == ("held", "prepare", "prepare")


def test_weights_that_somebody_changed_by_hand_are_left_to_them(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.answer = checks_at(10, BY_HAND, FAIL)

    last = played.run()

    assert (last.kind, last.next) == ("held", "rollout recover node-update")
    assert played.engine.asked == ["preview"], "no update works against them"


def test_a_refused_preview_changes_nothing(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    text = played.engine.file.read_text("utf-8")
    freeze = '      freeze: [{ from: "2020-01-01", to: "2099-01-01", reason: "nobody is here" }]\n'
    played.engine.file.write_text(text + freeze, "utf-8")

    last = played.run()

    assert (last.kind, last.code) == ("held", 3)
    assert "nobody is here" in last.reasons[0]
    assert played.file == 10
    assert played.engine.asked == ["preview"]


def test_an_update_that_deletes_is_not_for_a_run(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    text = played.engine.file.read_text("utf-8")
    played.engine.file.write_text(text + OTHER, "utf-8")
    played.engine.deploy()
    played.engine.file.write_text(text, "utf-8")

    last = played.run()

    assert (last.kind, last.code) == ("held", 3)
    assert "the update to 25 would delete or replace" in last.sentence
    assert "HTTPRoute other" in last.sentence
    assert (played.file, played.engine.asked) == (10, ["preview"])


def test_an_edit_in_the_meantime_does_not_slip_in(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.bake = 120

    def meddle(stage, times):
        if (stage, times) == (10, 2):
            text = played.engine.file.read_text("utf-8")
            played.engine.file.write_text(text.replace("llm-new:\n", "llm-new:\n          names: { picker: other }\n"), "utf-8")
        return (PASS,)

    played.answer = meddle
    last = played.run("25")

    assert last.kind == "held"
    assert played.deployed == 10
    assert played.engine.asked == ["preview", "preview"], "it is seen before the update, not refused by it"


def test_an_update_that_the_guard_refuses_leaves_file_and_state_at_the_rung(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.engine.fails = {"ModelService": "before hook failed"}

    last = played.run()

    assert (last.kind, last.code) == ("held", 3)
    assert (played.file, played.deployed) == (10, 10)
    assert [event.stage for event in played.told if event.kind == "write"] == [25, 10]


@pytest.mark.parametrize(("setting", "to"), [("rollback", "prepare"), ("hold", 10)])
def test_an_update_that_fails_half_way_ends_on_a_rung(tmp_path, monkeypatch, setting, to):
    played = world(tmp_path, monkeypatch, 10, onFailure=setting)
    failed = []

    def once(point):
        played.ticks.append(point)
        if point == "begins HTTPRoute routes-to-llm" and not failed:
            failed.append(point)
            played.engine.fails = {"HTTPRoute": "timed out"}
        elif point == "before up":
            played.engine.fails = {}

    played.engine.tick = once
    last = played.run()

    assert (last.kind, last.code) == ("rolled back", 3)
    assert (played.file, played.deployed) == (to, to)
    assert any("timed out" in reason for event in played.told for reason in event.reasons)


def test_a_canary_that_cannot_be_built_keeps_its_stage_for_the_next_try(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "baseline")
    played.engine.fails = {"NodePool": "no quota"}

    last = played.run()

    assert (last.kind, played.file, played.deployed) == ("held", "prepare", "prepare")
    assert any("no quota" in reason for event in played.told for reason in event.reasons)
    played.engine.fails = {}
    played.goes_on()
    assert played.run("1").kind == "held", "file and state are at prepare, so there is nothing to update to, and it is not ready"


def test_a_lock_is_said_with_its_holder_and_the_file_is_put_back(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.engine.lock = "the stack is currently locked by 1 lock(s)\n  created by ci@runner-7 (pid 285)"

    last = played.run()

    assert (last.kind, last.next) == ("held", "rollout recover node-update")
    assert "ci@runner-7" in last.reasons[1]
    assert (played.file, played.deployed) == (10, 10)


def test_a_way_back_that_does_not_get_through_says_the_one_without_pulumi(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)

    def fails(stage, _times):
        if stage == 25:
            played.engine.lock = "the stack is currently locked"
            return (FAIL,)
        return (PASS,)

    played.answer = fails
    last = played.run()

    assert (last.kind, last.code) == ("stuck", 3)
    assert "rollout rollback node-update llm --now" in last.sentence
    assert played.file == "prepare", "whoever runs the next update, it is the way back"


def test_retire_has_to_be_said_and_is_previewed_like_any_rung(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 50)

    last = played.run("retire")

    assert (last.kind, last.stage, last.next) == ("reached", "retire", "rollout finish node-update llm")
    assert (played.file, played.deployed) == ("retire", "retire")


def test_retire_that_fails_half_way_goes_back_to_100_and_no_further(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 100)
    played.engine.fails = {"HTTPRoute": "timed out"}

    def mended(point):
        if point == "before up" and played.deployed == "retire":
            played.engine.fails = {}

    played.engine.tick = mended
    last = played.run("retire")

    assert (last.kind, played.file, played.deployed) == ("rolled back", 100, 100)


def test_a_rollout_that_was_started_in_the_file_begins_with_prepare(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "baseline")
    played.subject.write("prepare")

    last = played.run("1")

    assert last.kind == "reached"
    assert [event.stage for event in played.told if event.kind == "rung"] == ["prepare", 1]


def test_an_adapter_goes_up_alike(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10, "lora-adapter")

    last = played.run()

    assert (last.kind, played.file, played.deployed) == ("reached", 100, 100)


def test_nothing_to_do_is_said(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 25)

    last = played.run("25")

    assert (last.kind, last.code, played.engine.asked) == ("reached", 0, [])


@pytest.mark.parametrize(
    ("file", "until", "said"),
    [
        (50, "100", "service llm: the file says 50, and 10 is deployed; find out why, and bring them together: rollout recover"),
        ("prepare", "100", "service llm: the file says prepare, and 10 is deployed"),
        (10, "1", "service llm stands at 10, beyond 1, and a run only goes up; to go down: rollout rollback node-update llm"),
    ],
)
def test_what_does_not_add_up_is_refused(tmp_path, monkeypatch, file, until, said):
    played = world(tmp_path, monkeypatch, 10)
    played.subject.write(file)

    with pytest.raises(Refused, match=said):
        played.run(until)
    assert played.engine.asked == []


@pytest.mark.parametrize(("until", "said"), [("30", "30 is not on the ladder"), ("finish", "a run goes as far as retire")])
def test_an_end_that_is_none_is_a_problem(tmp_path, monkeypatch, until, said):
    with pytest.raises(InputError, match=f"--until: {said}"):
        world(tmp_path, monkeypatch, 10).run(until)


def test_a_file_that_cannot_be_written_stops_the_run_in_words(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)

    def breaks(stage, _times):
        played.engine.file.write_text("config: [", "utf-8")
        return (PASS,)

    played.answer = breaks
    last = played.run()

    assert (last.kind, last.code, last.stage) == ("stuck", 3, 10)
    assert str(played.engine.file) in last.reasons[0]


def test_a_file_that_moves_another_rollout_too_is_not_for_a_run(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    other = OTHER.replace("decommission: true", "rollout: { to: newer, stage: STAGE }").replace(
        "} } }\n", "} }, newer: { external: { pool: elsewhere } } }\n"
    )
    text = played.engine.file.read_text("utf-8")
    played.engine.file.write_text(text + other.replace("STAGE", "prepare"), "utf-8")
    played.engine.deploy()
    played.engine.file.write_text(text + other.replace("STAGE", "1"), "utf-8")

    last = played.run()

    assert (last.kind, played.deployed) == ("held", 10)
    assert "the update to 25 would also move service other" in last.sentence


def test_a_file_that_somebody_has_broken_does_not_hold_up_the_way_back(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    played.answer = checks_at(25, FAIL)

    def lost(event):
        if getattr(event, "kind", "") == "failing":
            played.engine.file.unlink()
        return event

    last = played.hear(lost(event) for event in played.driver().run())

    assert (last.kind, last.code, played.deployed) == ("rolled back", 3, "prepare")
    assert "mend it, with stage: prepare, before the next update" in last.sentence
    assert "cannot be read" in last.reasons[0]


def test_a_file_that_is_not_valid_meanwhile_does_not_hold_up_the_way_back_either(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)

    def spoils(stage, times):
        if (stage, times) == (10, 2):
            text = played.engine.file.read_text("utf-8")
            played.engine.file.write_text(text.replace("serving: llm\n", "serving: llm\n      half: written\n"), "utf-8")
        return (FAIL,)

    played.answer = spoils
    last = played.run()

    assert (last.kind, played.deployed) == ("rolled back", "prepare")
    assert "half: is no key" in last.reasons[0]


def test_a_rollout_that_has_left_the_file_meanwhile_falls_all_the_same(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)

    def leaves(stage, times):
        if (stage, times) == (10, 2):
            text = played.engine.file.read_text("utf-8")
            played.engine.file.write_text(re.sub(r" +rollout: .*\n", "", text), "utf-8")
        return (FAIL,)

    played.answer = leaves
    last = played.run()

    assert (last.kind, last.code, played.deployed) == ("rolled back", 3, "prepare")
    assert last.reasons[0].endswith("llm has no rollout any more")
    assert "rollout:" not in played.engine.file.read_text("utf-8")


def test_a_state_that_cannot_be_read_does_not_hold_up_the_way_back(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 50)
    deployed, silent = played.engine.deployed, []

    def read():
        if silent:
            silent.clear()
            raise EngineFailure("pulumi stack export: no route to host")
        return deployed()

    def loses(event):
        if getattr(event, "kind", "") == "failing":
            silent.append(event)
        return event

    monkeypatch.setattr(played.engine, "deployed", read)
    played.answer = checks_at(50, FAIL)
    last = played.hear(loses(event) for event in played.driver().run())

    assert (last.kind, played.file, played.deployed) == ("rolled back", "prepare", "prepare")


def test_an_update_of_somebody_else_meanwhile_is_said_with_all_reasons(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    theirs = played.engine.up

    def up(message, on_operation):
        played.subject.write("prepare")
        assert theirs(message, on_operation).done
        return Update("failed", (), ("timed out",))

    monkeypatch.setattr(played.engine, "up", up)
    last = played.run()

    assert (last.kind, last.reasons, last.next) == ("stuck", ("timed out",), "rollout recover node-update")
    assert last.sentence == "service llm: after the update to 25 it is prepare that is deployed; somebody else updates this stack"


def test_an_edit_while_the_update_is_previewed_does_not_slip_in(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)
    preview = played.engine.preview

    def meddled(config):
        found = preview(config)
        text = played.engine.file.read_text("utf-8")
        played.engine.file.write_text(f"{text}# edited\n", "utf-8")
        return found

    monkeypatch.setattr(played.engine, "preview", meddled)
    last = played.run()

    assert (last.kind, last.code, last.next) == ("held", 3, "rollout run node-update llm")
    assert "was edited while its update was previewed" in last.sentence
    assert (played.file, played.deployed) == (10, 10)
