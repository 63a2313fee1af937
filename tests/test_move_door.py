"""The sources of adapters, the door, and the loopholes that a prototype found: closed by real plans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference_rollouts import move
from inference_rollouts.errors import InputError
from tests.records import Edit, as_it_is, at, judged, only, planned, put, record, resting, split, tone_at

IMAGE = put("versions.old.server.image", "vllm/vllm-openai:v0.33.0")
MACHINE = put("versions.old.nodes.machineType", "g2-standard-16")
CANARY_SPOT = put("versions.new.nodes.spot", True)


# --- adapter sources ------------------------------------------------------------------------------------------------------

MOVED = put("adapters.tone.versions.tone-v1.source", "gs://adapters/elsewhere")


@pytest.mark.parametrize("stage", ["baseline", "prepare", 10, 100, "retire"])
@pytest.mark.parametrize("version", ["tone-v1", "tone-v2"])
def test_an_adapter_version_that_stands_keeps_its_source_at_every_stage(stage, version):
    edit = put(f"adapters.tone.versions.{version}.source", "gs://adapters/elsewhere")
    stands = version == "tone-v1" or stage != "baseline"

    found = judged(tone_at(stage), (tone_at(stage), edit))

    assert len(found) == stands
    assert all(f"adapter version {version}" in reason and "gs://adapters/elsewhere" in reason for reason in found)


@pytest.mark.parametrize("stage", ["prepare", 10, 100])
def test_a_source_that_two_versions_of_the_service_hold_is_one_reason(stage):
    reason = only(judged(at(stage), (at(stage), MOVED)))

    assert "one source for ever" in reason
    assert "down to" not in reason


def test_the_source_for_the_canarys_own_base_model_changes_only_where_the_canary_does_not_stand():
    base = put("versions.new.server.model", "org/other-base")

    def own_source(n: int) -> Edit:
        return put("versions.new.adapters", {f"{a}-v1": {"source": f"gs://adapters/{a}-{n}"} for a in ("tone", "style")})

    before, after = (base, own_source(1)), (base, own_source(2))

    assert judged((*before, at("baseline")), (*after, at("baseline"))) == []
    assert all("new down to stage: baseline" in r for r in judged((*before, at("prepare")), (*after, at("prepare"))))
    assert not any("down to" in r for r in judged((*before, at(10)), (*after, at(10))))
    assert len(judged((*before, at(10)), (*after, at(10)))) == 2


def test_a_new_adapter_may_not_bring_another_source_under_a_name_that_stands():
    def taken_over(service: dict[str, Any]) -> None:
        del service["adapters"]["tone"]
        service["adapters"]["voice"] = {"serving": "tone-v1", "versions": {"tone-v1": {"source": "gs://adapters/voice"}}}

    leaving = put("adapters.tone.decommission", True)

    assert "tone-v1" in only(judged(leaving, taken_over))


def test_two_adapters_whose_versions_cross_are_refused_with_a_reason_each():
    def crossed(service: dict[str, Any]) -> None:
        tone, style = service["adapters"]["tone"], service["adapters"]["style"]
        service["adapters"] = {"tone": style, "style": tone}

    found = judged(as_it_is, crossed)

    assert [r.split(":")[0] for r in found] == ["adapter style of service chat", "adapter tone of service chat"]
    assert all("serving is changed" in r for r in found)


def test_two_adapters_whose_sources_cross_are_refused_with_a_reason_each():
    crossed = MOVED, put("adapters.style.versions.style-v1.source", "gs://adapters/tone-v1")

    assert len(judged(as_it_is, crossed)) == 2


# --- the door -------------------------------------------------------------------------------------------------------------

DOOR = {
    "route": put("route.name", "other"),
    "namespace": put("namespace", "prod"),
    "hostnames": put("route.hostnames", ["other.example.com"]),
    "matches": put("route.matches", [{"path": {"type": "PathPrefix", "value": "/v2"}}]),
    "parentRefs": put("route.parentRefs", [{"name": "gate", "sectionName": "https"}]),
    "inferenceApi": put("inferenceApi", "llm-d"),
}


@pytest.mark.parametrize("key", DOOR)
@pytest.mark.parametrize("before", [as_it_is, at("prepare"), at(10), at("retire"), put("decommission", True)])
def test_the_door_does_not_change_while_something_serves_through_it(key, before):
    reason = only(judged(before, (before, DOOR[key])))

    assert reason.startswith("service chat: ")
    assert key in reason
    assert "second service" in reason


def test_another_gateway_is_refused_once_although_two_keys_of_the_door_follow_from_it():
    old = record(resting())
    new = replace(old, door={**old.door, "gateway": "other", "parentRefs": [{"name": "other"}]})

    assert "gateway: gate → other" in only(move.judge("chat", old, new))


def test_the_door_is_the_same_when_a_null_comes_back_as_nothing():
    old = record(resting())
    new = replace(old, door={**old.door, "matches": [{**old.door["matches"][0], "method": None}]})

    assert move.judge("chat", old, new) == []


# --- loopholes that a prototype found -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (at(50), (at(100), MACHINE), "old carries 50 %"),
        (at(50), (at("prepare"), CANARY_SPOT), "new carries 50 %"),
        (at("prepare"), (at(1), CANARY_SPOT), "new gets 1 %"),
        (as_it_is, IMAGE, "old carries 100 %"),
        (at(10), (at(10), put("serving", "new"), put("rollout.to", "old")), "serving is changed from old to new"),
        (at(1), at(10, steps=[10, 100]), "rollout.steps is changed"),
        (
            at(10),
            (at(10), put("versions.third", {"like": "old"}), put("rollout.to", "third")),
            "rollout.to is changed from new to third",
        ),
        (as_it_is, put("serving", "new"), "serving is changed from old to new"),
    ],
)
def test_a_loophole_is_closed(before, after, words):
    assert any(words in reason for reason in judged(before, after))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (put("versions.old.server.replicas", 0), "replicas"),
        (put("versions.old.nodes.max", 0), "max"),
        (put("versions.old.server.lora", None), "lora"),
        (put("adapters.tone.versions", {"tone-v1": {"source": "/a"}, "style-v1": {"source": "/b"}}), "style-v1"),
    ],
)
def test_a_loophole_is_closed_by_the_settings(edit, words):
    with pytest.raises(InputError) as refused:
        planned(edit)

    assert words in str(refused.value)


def test_the_first_adapter_on_a_version_without_lora_needs_a_version_that_has_it():
    bare = put("adapters", {}), put("versions.old.server.lora", None)

    with pytest.raises(InputError, match="lora"):
        planned(put("versions.old.server.lora", None))
    assert "old carries 100 %" in only(judged(bare, as_it_is))


def test_the_stage_of_another_split_is_no_excuse():
    old = record(split(10), {"tone": split(10, "v1", "v2")})
    new = record(split("prepare"), {"tone": split(100, "v1", "v2")})

    assert only(move.judge("chat", old, new)).startswith("adapter tone of service chat")
