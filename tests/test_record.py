"""The record: written to Pulumi's inputs, read back from what hooks get, and refused in words where it is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference_rollouts.record import Record, Split, Unreadable, whole
from tests.records import LADDER, as_hooks_see, at, override, planned, record, resting, split, tone_at

SPLIT = split(10, override=override(1, 10), decommission=True)


# --- there and back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", LADDER)
def test_a_split_is_the_same_after_its_way_through_pulumis_state(stage):
    there = split(stage, override=override("prepare", 50), decommission=True)

    assert Split.from_wire(as_hooks_see(there.to_wire())) == there
    assert Split.from_json(there.to_json()) == there


def test_a_split_without_a_rollout_says_nothing_of_one():
    assert resting().to_wire() == {"serving": "old", "stage": "baseline", "weights": {"old": 100}}


def test_the_text_of_an_annotation_is_the_same_for_the_same_split():
    turned = split(10, weights={"new": 10, "old": 90})

    assert turned.to_json() == split(10).to_json()


def test_a_record_is_the_same_after_its_way_through_pulumis_state():
    there = record(
        split(10), {"tone": resting("tone-v1")}, in_place=("old",), versions={"old": {"pool": {"port": 8000}}, "new": {}}
    )

    assert Record.from_wire(as_hooks_see(there.to_wire())) == there


@pytest.mark.parametrize("edit", [at(10), at("retire"), tone_at(50)])
def test_the_record_of_a_plan_is_the_same_after_its_way_through_pulumis_state(edit):
    once = planned(edit)

    assert Record.from_wire(as_hooks_see(once.to_wire())) == once
    assert isinstance(once.pools.weights["old" if "old" in once.pools.weights else "new"], int)


def test_floats_become_whole_numbers_all_the_way_down():
    assert repr(whole({"a": [1.0, {"b": 25.0}], "c": 0.5, "d": True})) == "{'a': [1, {'b': 25}], 'c': 0.5, 'd': True}"


def test_numbers_deep_in_a_record_are_whole_too():
    there = record(resting(), versions={"old": {"pool": {"port": 8000}}})

    back = Record.from_wire(as_hooks_see(there.to_wire()))

    assert repr(back.versions) == "{'old': {'pool': {'port': 8000}}}"


def test_what_is_left_out_means_none():
    bare = Record.from_wire({"pools": resting().to_wire(), "adapters": None})

    assert bare == Record(pools=resting())


# --- what is no record ----------------------------------------------------------------------------------------------------

BROKEN_SPLITS: list[tuple[str, Any, str]] = [
    ("serving", None, "serving is missing"),
    ("serving", 5, "serving is 5, which is no text"),
    ("to", ["new"], "to is ['new'], which is no text"),
    ("stage", None, "stage is missing, which is no stage"),
    ("stage", "canary", "stage is 'canary', which is no stage"),
    ("stage", 0, "stage is 0, which is no stage"),
    ("stage", 101, "stage is 101, which is no stage"),
    ("stage", 10.5, "stage is 10.5, which is no stage"),
    ("stage", True, "stage is True, which is no stage"),
    ("weights", None, "weights is missing, which is no map"),
    ("weights", [90, 10], "weights is [90, 10], which is no map"),
    ("weights", {"old": 101}, "weights.old is 101, which is no weight in percent"),
    ("weights", {"old": -1}, "weights.old is -1, which is no weight in percent"),
    ("weights", {"old": "90"}, "weights.old is '90', which is no weight in percent"),
    ("weights", {"old": True}, "weights.old is True, which is no weight in percent"),
    ("steps", 10, "steps is 10, which is no list"),
    ("steps", ["10"], "steps is '10', which is no weight in percent"),
    ("override", "yes", "override is 'yes', which is no map"),
    ("override", {"from": 1, "to": 50, "reason": "r"}, "override.by is missing, which is no text"),
    ("override", {"to": 50, "reason": "r", "by": "b"}, "override.from is missing, which is no stage"),
    ("override", {"from": 1, "to": 500, "reason": "r", "by": "b"}, "override.to is 500, which is no stage"),
    ("override", {"from": 1, "to": 50, "by": "b"}, "override.reason is missing, which is no text"),
    ("decommission", "true", "decommission is 'true', which is neither true nor false"),
]


@pytest.mark.parametrize(("field", "value", "words"), BROKEN_SPLITS)
def test_a_broken_split_is_refused_with_the_field_and_what_stands_there(field, value, words):
    with pytest.raises(Unreadable) as refused:
        Split.from_wire({**SPLIT.to_wire(), field: value})

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("pools", None, "pools: split is missing, which is no map"),
        ("pools", {"serving": "old", "weights": {}}, "pools: stage is missing"),
        ("adapters", {"tone": {}}, "adapters.tone: serving is missing"),
        ("adapters", ["tone"], "adapters is ['tone'], which is no map"),
        ("sources", {"old/tone": 5}, "sources.old/tone is 5, which is no text"),
        ("versions", {"old": "x"}, "versions.old is 'x', which is no map"),
        ("inPlace", "old", "inPlace is 'old', which is no list"),
        ("inPlace", [True], "inPlace is True, which is no text"),
        ("door", "open", "door is 'open', which is no map"),
        ("limits", "none", "limits is 'none', which is no map"),
        ("limits", {"freeze": [{"from": "Fri"}]}, "limits is {'freeze': [{'from': 'Fri'}]}, which holds no limits"),
        ("limits", {"capacity": {"old": 5}}, "which holds no limits"),
        ("limits", {"capacity": {"old": {"replicas": "x", "perReplica": 1, "unit": "u"}}}, "which holds no limits"),
        ("limits", {"freeze": 5}, "which holds no limits"),
        ("limits", {"capacity": ["old"]}, "which holds no limits"),
    ],
)
def test_a_broken_record_is_refused_with_the_field_and_what_stands_there(field, value, words):
    with pytest.raises(Unreadable) as refused:
        Record.from_wire({**record(SPLIT).to_wire(), field: value})

    assert words in str(refused.value)


def test_inputs_without_a_record_are_refused():
    with pytest.raises(Unreadable, match="pools"):
        Record.from_wire({})


def test_what_is_no_plain_value_is_refused_by_its_kind():
    with pytest.raises(Unreadable, match="of type object"):
        Split.from_wire({**SPLIT.to_wire(), "stage": object()})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", json.dumps({"serving": "old"})])
def test_an_annotation_that_holds_no_split_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Split.from_json(text)
