"""`rollout recover`: what it asks, what it does, and what it leaves alone."""

from __future__ import annotations

import json

import pytest

from inference_rollouts.stages import Stage
from tests.drive.playing import OTHER, World, world
from tests.drive.scripted import LOCK, Killed

WROTE = "wrote HTTPRoute routes-to-llm"


def dead(tmp_path, monkeypatch, point: str, stage: Stage = 10, example: str = "node-update") -> World:
    """A world whose runner died at a point of its run."""
    whole = world(tmp_path / "whole", monkeypatch, stage, example)
    whole.run()
    made = world(tmp_path / "dead", monkeypatch, stage, example)
    made.dies = whole.ticks.index(point) + 1
    with pytest.raises(Killed):
        made.run()
    made.goes_on()
    made.questions.clear()
    made.engine.asked.clear()
    return made


def test_nothing_to_recover_is_said(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 10)

    last = played.recover()

    assert (last.code, last.next) == (0, "rollout run node-update llm")
    assert played.told[1].sentence == "service llm: the file says 10, the state 10, the live weights 10"
    assert [asked.split()[0] for asked in played.engine.asked] == ["refresh"]


def test_a_runner_that_died_in_an_update_leaves_a_lock_a_pending_update_and_weights_ahead_of_the_state(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, WROTE)
    assert played.engine.lock == LOCK

    last = played.recover()

    assert (last.kind, last.code) == ("mended", 0)
    assert (played.file, played.deployed, played.engine.weights["llm-new"]) == (25, 25, 25)
    sentences = [event.sentence for event in played.told]
    assert sentences[0] == "updating HTTPRoute llm was cut off"
    assert any("ci@runner-7" in reason for event in played.told for reason in event.reasons), "whose lock it is"
    assert played.engine.asked == ["refresh 1", "cancel", "refresh 1"]


def test_a_raise_that_was_cut_off_before_the_route_is_taken_back_since_nobody_has_asked_for_it(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, "ended ModelService llm")
    assert (played.file, played.deployed, played.engine.weights["llm-new"]) == (25, 25, 10)

    played.recover()

    assert (played.file, played.deployed, played.engine.weights["llm-new"]) == (10, 10, 10)


def test_a_lock_that_may_be_alive_is_left(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, WROTE)
    played.says = {"Does that runner surely run no more?": False}

    last = played.recover()

    assert (last.kind, last.code) == ("held", 3)
    assert "pulumi cancel -s node-update" in last.sentence
    assert (played.engine.lock, played.engine.asked) == (LOCK, ["refresh 1"])


def test_a_create_that_was_cut_off_is_dropped_only_after_a_yes_and_a_backup(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, next_begun(tmp_path, monkeypatch, "NodePool"), "baseline")
    before = played.engine.export()

    last = played.recover()

    assert last.code == 0
    assert played.engine.pending == []
    assert played.engine.asked[:2] == ["backup", "refresh 1, clear"]
    (backup,) = (played.folder / "backups").iterdir()
    assert json.loads(backup.read_text("utf-8")) == json.loads(json.dumps(before))


def test_a_create_that_may_exist_stays_and_the_way_to_take_it_over_is_said(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, next_begun(tmp_path, monkeypatch, "NodePool"), "baseline")
    played.says = {"Is it sure": False}

    played.recover()

    assert any("--import-pending-creates 'URN ID'" in event.sentence for event in played.told)
    assert [p["type"] for p in played.engine.pending] == ["creating"]
    assert "backup" not in played.engine.asked


def next_begun(tmp_path, monkeypatch, kind: str) -> str:
    whole = world(tmp_path / "names", monkeypatch, "baseline")
    whole.run("prepare")
    return next(point for point in whole.ticks if point.startswith(f"begins {kind}"))


def test_a_route_that_somebody_took_back_by_hand_takes_file_and_state_along(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 50)
    (urn,) = (urn for urn in played.engine.live if ":HTTPRoute::" in urn)
    for backend, weight in zip(played.engine.live[urn]["spec"]["rules"][-1]["backendRefs"], (100, 0), strict=True):
        backend["weight"] = weight

    last = played.recover()

    assert last.code == 0
    assert (played.file, played.deployed, played.engine.weights) == ("prepare", "prepare", {"llm": 100, "llm-new": 0})


@pytest.mark.parametrize("example", ["node-update", "lora-adapter"])
def test_an_object_that_is_gone_is_no_agreement(tmp_path, monkeypatch, example):
    played = world(tmp_path, monkeypatch, 50, example)
    kind = "HTTPRoute" if example == "node-update" else "InferenceModelRewrite"
    urn = next(urn for urn in played.engine.live if f":{kind}::" in urn)
    name = played.engine.live.pop(urn)["metadata"]["name"]
    before = played.engine.file.read_bytes()

    last = played.recover()

    assert (last.kind, last.code, last.next) == ("held", 3, f"pulumi preview -s {example}")
    assert f"{kind} {name} is not in the cluster" in last.sentence
    assert [asked.split()[0] for asked in played.engine.asked] == ["refresh"]
    assert played.engine.file.read_bytes() == before


def test_a_no_leaves_everything_and_says_the_safe_rung(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, "the file is written")
    played.says = {"the lowest of them": False}

    last = played.recover()

    assert (last.kind, last.code, last.next) == ("held", 3, "rollout recover node-update")
    assert last.sentence == "service llm: file, state and live weights differ; the safe rung is 10"
    assert (played.file, played.deployed) == (25, 10)


def test_without_a_look_at_the_cluster_file_and_state_are_compared(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, "the file is written")
    played.says = {"Read the 1 object": False}

    last = played.recover()

    assert (last.code, played.file, played.deployed) == (0, 10, 10)
    assert any("nobody knows" in event.sentence for event in played.told)


def test_an_adapter_is_brought_together_alike(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, "ended ModelService llm", 10, "lora-adapter")

    last = played.recover()

    assert (last.code, played.file, played.deployed) == (0, 10, 10)
    standing = next(event.sentence for event in played.told if event.kind == "standing")
    assert standing == "adapter llm of service llm: the file says 50, the state 50, the live weights 10"


def test_a_file_with_another_rollout_is_not_touched(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, "prepare")
    text = played.engine.file.read_text("utf-8").replace("to: llm-new,", "to: llm-newer,")
    played.engine.file.write_text(text.replace("llm-new:\n", "llm-newer: { like: llm-new }\n        llm-new:\n"), "utf-8")
    before = played.engine.file.read_bytes()

    last = played.recover()

    assert (last.kind, last.next) == ("held", "pulumi preview -s node-update")
    assert played.engine.file.read_bytes() == before


def test_an_update_that_does_not_get_through_is_no_recovery(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, "ended ModelService llm")
    played.engine.fails = {"HTTPRoute": "timed out", "ModelService": "timed out"}

    last = played.recover()

    assert (last.kind, last.code) == ("stuck", 3)
    assert "timed out" in last.reasons[0]


def test_without_a_place_for_a_backup_nothing_is_dropped(tmp_path, monkeypatch):
    played = dead(tmp_path, monkeypatch, next_begun(tmp_path, monkeypatch, "NodePool"), "baseline")
    (played.folder / "backups").write_text("a file")

    last = played.recover()

    assert (last.kind, last.code) == ("stuck", 3)
    assert last.reasons == (f"no backup of the state can be written to {played.folder / 'backups'}: File exists",)
    assert [p["type"] for p in played.engine.pending] == ["creating"]


def test_what_waits_in_the_file_and_deletes_is_not_deployed_by_a_recovery(tmp_path, monkeypatch):
    played = world(tmp_path, monkeypatch, 50)
    text = played.engine.file.read_text("utf-8")
    played.engine.file.write_text(text + OTHER, "utf-8")
    played.engine.deploy()
    played.engine.file.write_text(text, "utf-8")
    (urn,) = (urn for urn in played.engine.live if urn.endswith("::llm") and ":HTTPRoute::" in urn)
    for backend, weight in zip(played.engine.live[urn]["spec"]["rules"][-1]["backendRefs"], (100, 0), strict=True):
        backend["weight"] = weight

    last = played.recover()

    assert (last.kind, last.code, last.next) == ("held", 3, "pulumi preview -s node-update")
    assert "would also delete or replace HTTPRoute other" in last.sentence
    assert (played.file, played.deployed) == ("prepare", 50)
