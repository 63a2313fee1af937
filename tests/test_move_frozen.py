"""What may not change of a version under traffic, by real plans: which versions are frozen, and in which fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference_rollouts import move
from inference_rollouts.record import Record
from tests.records import LADDER, as_it_is, at, judged, only, planned, put, record, resting, tone_at

IMAGE = put("versions.old.server.image", "vllm/vllm-openai:v0.33.0")
CANARY_IMAGE = put("versions.new.server.image", "vllm/vllm-openai:v0.33.0")
MACHINE = put("versions.old.nodes.machineType", "g2-standard-16")
CANARY_NODES = put("versions.new.nodes.reservation", "mine")
IN_PLACE = put("versions.old.allowInPlaceUpdates", True)


# --- which versions are frozen --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", LADDER)
@pytest.mark.parametrize("change", [IMAGE, MACHINE])
def test_stable_is_frozen_at_every_stage_also_where_it_only_stands_for_a_rollback(stage, change):
    kept = put("versions.new.server.image", "vllm/vllm-openai:v0.32.0")

    reason = only(judged((kept, at(stage)), (kept, at(stage), change)))

    assert reason.startswith("service chat: old ")
    why = {100: "a rollback needs", "retire": "a rollback needs"}
    assert (why.get(stage) or f"{100 - stage if isinstance(stage, int) else 100} %") in reason


@pytest.mark.parametrize("change", [CANARY_IMAGE, CANARY_NODES])
@pytest.mark.parametrize(("origin", "to"), [("prepare", "prepare"), ("baseline", "prepare"), ("prepare", "baseline")])
def test_the_canary_may_change_while_it_has_no_weight(change, origin, to):
    assert judged(at(origin), (at(to), change)) == []


@pytest.mark.parametrize("change", [CANARY_IMAGE, CANARY_NODES])
@pytest.mark.parametrize(
    ("origin", "to", "why"),
    [
        ("prepare", 1, "gets 1 %"),
        (10, 10, "carries 10 %"),
        (10, 25, "carries 10 %"),
        (50, "prepare", "carries 50 %"),
        (100, "retire", "carries 100 %"),
        ("retire", "retire", "carries 100 %"),
    ],
)
def test_the_canary_is_frozen_when_it_has_weight_before_or_after(change, origin, to, why):
    reason = only(judged(at(origin), (at(to), change)))

    assert reason.startswith("service chat: new ")
    assert why in reason
    assert "stage: prepare, in an update of its own" in reason


def test_the_version_that_took_over_is_frozen_in_the_finish_itself():
    finished = (put("serving", "new"), CANARY_IMAGE)

    reason = only(judged(at("retire"), finished))

    assert "new carries 100 %" in reason
    assert "stage: prepare" not in reason


def test_a_version_that_only_serves_by_name_is_frozen():
    old = record(replace(resting(), weights={}))
    new = replace(old, versions={"old": {"podTemplate": "other"}})

    assert any("old is what a rollback needs" in reason for reason in move.judge("chat", old, new))


def test_a_template_that_is_not_built_may_change():
    assert judged(as_it_is, CANARY_IMAGE) == []


# --- which fields ---------------------------------------------------------------------------------------------------------

ROLLING = {
    "image": IMAGE,
    "args": put("versions.old.server.args", ["--max-model-len=4096"]),
    "env": put("versions.old.server.env", {"A": "1"}),
    "pod labels": put("versions.old.server.podLabels", {"team": "a"}),
    "pod annotations": put("versions.old.server.podAnnotations", {"pool": "a"}),
    "pod spec": put("versions.old.server.podSpec", {"priorityClassName": "high"}),
    "load timeout": put("versions.old.server.loadTimeout", "10m"),
    "lora": put("versions.old.server.lora", {"maxLoras": 9, "maxRank": 16}),
    "model": put("versions.old.server.model", "org/other"),
    "models of the service": put("models", ["chat", "chat-2"]),
    "longest request of the service": put("longestRequest", "600s"),
    "machine type": MACHINE,
    "GKE version": put("versions.old.nodes.version", "1.35.1-gke.1"),
    "zones": put("versions.old.nodes.zones", ["us-central1-b"]),
}
"""Changes that roll, without replacing anything."""

FOR_GOOD = {
    "accelerator": put("versions.old.nodes", {"accelerator": "nvidia-rtx-pro-6000", "machineType": "g4-standard-48", "max": 6}),
    "driver": put("versions.old.nodes.driver", "LATEST"),
    "reservation": put("versions.old.nodes.reservation", "mine"),
    "node pool's name": put("versions.old.names", {"nodePool": "other"}),
    "server's name, which the pool selects by": put("versions.old.names", {"server": "other"}),
    "pool's name": put("versions.old.names", {"pool": "other"}),
    "own nodes for existing ones": put("versions.old.nodes", {"existing": "theirs"}),
}
"""Changes that replace or remove something."""


@pytest.mark.parametrize("change", [*ROLLING, *FOR_GOOD])
def test_a_serving_version_is_frozen_at_rest(change):
    reason = only(judged(as_it_is, {**ROLLING, **FOR_GOOD}[change]))

    assert reason.startswith("service chat: old carries 100 % of the traffic")
    assert "(old-new: {like: old, …})" in reason


@pytest.mark.parametrize("change", ROLLING)
def test_a_rolling_change_is_offered_and_allowed_with_allow_in_place_updates(change):
    edit = ROLLING[change]

    assert "allowInPlaceUpdates: true" in only(judged(as_it_is, edit))
    assert judged(as_it_is, (edit, IN_PLACE)) == []


@pytest.mark.parametrize("change", FOR_GOOD)
def test_a_replacing_change_is_refused_with_allow_in_place_updates_too(change):
    edit = FOR_GOOD[change]

    for edits in ((edit,), (edit, IN_PLACE)):
        reason = only(judged(as_it_is, edits))
        assert "allowInPlaceUpdates" not in reason
        assert "replaces or removes" in reason


def test_spot_nodes_are_not_taken_from_under_what_is_left_for_others():
    spot, away = put("versions.old.nodes.spot", True), put("versions.new.nodes.spot", False)

    reason = only(judged((at(10), spot, away), (at(10), away)))

    assert "old carries 90 % of the traffic, and this replaces or removes a part of it (nodePool.node_config.spot" in reason


def test_allow_in_place_updates_is_asked_of_the_wanted_config_not_of_the_deployed_one():
    assert judged(IN_PLACE, IMAGE) != []


def test_allow_in_place_updates_of_one_version_says_nothing_of_the_other():
    both = put("longestRequest", "600s")

    assert "new carries 10 %" in only(judged(at(10), (at(10), both, IN_PLACE, put("versions.new.allowInPlaceUpdates", False))))


def test_with_allow_in_place_updates_only_what_stays_refused_is_named():
    reason = only(judged(as_it_is, (IMAGE, put("versions.old.nodes.reservation", "mine"), IN_PLACE)))

    assert "reservation" in reason
    assert "v0.33.0" not in reason


def test_replacing_and_rolling_changes_of_a_version_are_one_reason_with_the_replacing_ones_first():
    changes = put("versions.old.nodes.reservation", "mine"), IMAGE, put("versions.old.server.env", {"A": "1"})

    reason = only(judged(as_it_is, changes))

    assert reason.index("reservation") < reason.index("v0.33.0")
    assert "allowInPlaceUpdates" not in reason


@pytest.mark.parametrize(
    "size",
    [
        put("versions.old.server.replicas", 6),
        put("versions.old.server.replicas", 1),
        put("versions.old.nodes.max", 20),
        put("versions.old.nodes.min", 2),
    ],
)
def test_the_size_of_a_serving_version_may_change(size):
    assert judged(as_it_is, size) == []


SCALED = put("versions.old.server.autoscaling", {"min": 4, "max": 6}), put("versions.old.server.replicas", None)


def test_the_replicas_of_a_serving_version_are_not_left_to_an_autoscaler_which_would_begin_with_one():
    four = put("versions.old.server.replicas", 4)

    reason = only(judged(four, SCALED))
    assert reason.startswith("service chat: old carries 100 % of the traffic, and this leaves its replicas to an autoscaler")
    assert "allowInPlaceUpdates: true" in reason
    assert judged(four, (*SCALED, IN_PLACE)) == []
    assert judged(put("versions.old.server.replicas", 1), SCALED) == [], "there is one already"
    assert judged(SCALED, four) == []
    assert judged(SCALED, (SCALED[1], put("versions.old.server.autoscaling", {"min": 2, "max": 6}))) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"external": "theirs"}, {"external": "others"}),
        ({"external": "theirs"}, {"podTemplate": {}, "pool": {"name": "old"}}),
        ({"podTemplate": {}, "pool": {"name": "old"}}, {"external": "theirs"}),
        ({"pool": {"port": 8000}}, {"pool": {"port": 8001}}),
        ({"pool": {"selector": {"app": "a"}}}, {"pool": {"selector": {"app": "b"}}}),
        ({"nodePool": None}, {"nodePool": {"name": "old"}}),
        ({"nodePool": {"name": "old"}}, {}),
    ],
)
def test_a_pool_an_external_pool_and_a_whole_node_pool_never_change_under_traffic(before, after):
    old = record(resting(), versions={"old": before})
    new = record(resting(), versions={"old": after}, in_place=("old",))

    assert "replaces or removes" in only(move.judge("chat", old, new))


def test_only_the_node_pool_has_fields_that_replace_it():
    old, new = (record(resting(), versions={"old": {"podTemplate": {"name": name}}}, in_place=("old",)) for name in "ab")

    assert move.judge("chat", old, new) == []


def failing(mode: str | None, image: str | None) -> Record:
    """A version at rest whose pool fails in one way, and whose picker has an image."""
    picker = {"picker": {"image": image}} if image else {}
    return record(resting(), versions={"old": {"podTemplate": {}, "failureMode": mode, **picker}})


def test_a_picker_may_begin_or_stop_to_fail_closed_but_not_change_while_it_does():
    for before, after in (("FailOpen", "FailClose"), ("FailClose", "FailOpen"), ("FailOpen", "FailOpen")):
        assert move.judge("chat", failing(before, "v1"), failing(after, "v1")) == []
    assert move.judge("chat", failing("FailOpen", "v1"), failing("FailOpen", "v2")) == []
    assert move.judge("chat", failing(None, None), failing("FailClose", "v1")) == [], "as recorded by nobody"
    for before, after in (("FailOpen", "FailClose"), ("FailClose", "FailOpen"), ("FailClose", "FailClose")):
        reason = only(move.judge("chat", failing(before, "v1"), failing(after, "v2")))
        assert "picker.image: v1 → v2" in reason
        assert "set endpointPicker.failureMode: FailOpen in an update of its own" in reason


def test_a_field_that_is_null_or_absent_is_the_same():
    old, new = (record(resting(), versions={"old": fields}) for fields in ({"nodePool": None}, {}))

    assert move.judge("chat", old, new) == []


@pytest.mark.parametrize("stage", LADDER)
def test_no_frozen_field_follows_from_the_stage(stage):
    for plan in (planned(at(stage)), planned(tone_at(stage))):
        assert plan.versions["new" if stage == "retire" and "new" in plan.versions else "old"]
        assert plan.versions["old"] == planned(as_it_is).versions["old"]
        assert plan.versions.get("new") in (None, planned(at(10)).versions["new"])


# --- how a change is shown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"a": 1}, {"a": 2}, "a: 1 → 2"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b: 1 → 2"),
        ({}, {"a": 1}, "a: nothing → 1"),
        ({"a": [1, 2]}, {"a": [1]}, "a[1]: 2 → nothing"),
        ({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "x", "v": 2}]}, "a[x].v: 1 → 2"),
        ({"a": [{"name": "x"}]}, {"a": [{"name": "y"}]}, "a[0].name: x → y"),
        ({"a": []}, {"a": [{"name": "x"}]}, 'a[x]: nothing → {"name": "x"}'),
        ({"a": [{"name": ["x"]}]}, {"a": [{"name": ["y"]}]}, "a[0].name[0]: x → y"),
        ({"a": [{"name": {}, "v": 1}]}, {"a": [{"name": {}, "v": 2}]}, "a[0].v: 1 → 2"),
        ({"a": "x" * 60}, {"a": 1}, f"a: {'x' * 60} → 1"),
        ({"a": "x" * 61}, {"a": 1}, f"a: {'x' * 57}… → 1"),
        ({"a": ["ä"]}, {"a": True}, 'a: ["ä"] → true'),
    ],
)
def test_a_change_is_shown_by_path_with_old_and_new(before, after, shown):
    assert list(move.changes(before, after).values()) == [shown]


def test_of_many_changes_three_are_shown_and_the_rest_are_counted():
    old, new = (record(resting(), versions={"old": {"podTemplate": dict.fromkeys("abcde", i)}}) for i in (1, 2))

    reason = only(move.judge("chat", old, new))

    assert "podTemplate.c: 1 → 2; and 2 more)" in reason
    assert "podTemplate.d" not in reason
