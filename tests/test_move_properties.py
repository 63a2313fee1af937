"""What holds for every move, whatever is deployed and whatever is wanted. `harm` says a second time what must never happen."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from inference_rollouts import move
from inference_rollouts.capacity import Capacity
from inference_rollouts.errors import InputError
from inference_rollouts.limits import Limits
from inference_rollouts.raises import raised
from inference_rollouts.record import Record, Split, Unreadable
from inference_rollouts.stages import Stage
from inference_rollouts.windows import Freeze
from tests.records import STACK, as_hooks_see, record, weights_at
from tests.records import plan as plan_of
from tests.strategies import names, pairs, splits

QUICK = settings(max_examples=500, deadline=None)

# --- what must never happen -----------------------------------------------------------------------------------------------


def harm(old: Record, new: Record) -> list[str]:
    """What an update does that none may do."""
    found = list(_harm_to_split("pools", old.pools, new.pools, gone=False))
    for name, split in old.adapters.items():
        gone = name not in new.adapters
        if gone and not split.decommission:
            found.append(f"{name} is removed without decommission")
        elif not gone:
            found += _harm_to_split(name, split, new.adapters[name], gone=old.pools.decommission)
    found += [
        f"source of {key} changes" for key in old.sources.keys() & new.sources.keys() if old.sources[key] != new.sources[key]
    ]
    found += _harm_to_versions(old, new)
    if old.door != new.door:
        found.append("the door changes")
    return found


def _harm_to_split(what: str, old: Split, new: Split, *, gone: bool) -> Iterator[str]:
    if sum(new.weights.values()) != 100 or any(weight < 0 for weight in new.weights.values()):
        yield f"{what}: weights do not add up"
    for name, weight in old.weights.items():
        if weight and name not in new.weights:
            yield f"{what}: {name} is removed with {weight} %"
    for name, weight in new.weights.items():
        if weight and name not in {*old.weights, old.serving}:
            yield f"{what}: {name} is created with {weight} %"
    if new.serving != old.serving and old.weights.get(new.serving) != 100:
        yield f"{what}: serving changes to what has not all the traffic"
    if new.serving != old.serving and old.stage != "retire":
        yield f"{what}: finished from {old.stage}"
    spent = (
        new.override is None or new.override == old.override or (new.override.origin, new.override.to) != (old.stage, new.stage)
    )
    canaries = [split.to for split in (old, new)]
    if spent and None not in canaries and not _on_the_ladder(old.stage, new.stage, old.steps):
        yield f"{what}: {old.stage} to {new.stage} is no move of {old.steps}"
    if new.decommission and not (old.decommission or gone) and (old.stage, old.to) != (new.stage, new.to):
        yield f"{what}: moves in the update that decommissions it"
    if new.decommission and _place(new.stage) > _place(old.stage):
        yield f"{what}: rises while it is decommissioned"


def _harm_to_versions(old: Record, new: Record) -> Iterator[str]:
    for name in old.versions.keys() & new.versions.keys():
        carries = old.pools.weights.get(name, 0) or new.pools.weights.get(name, 0)
        if not carries and name not in (old.pools.serving, new.pools.serving):
            continue
        before, after = old.versions[name], new.versions[name]
        parts = {part for part in {*before, *after} if before.get(part) != after.get(part)} - {
            "replicas",
            "failureMode",
            "backend",
        }
        open_ = all(fields.get("failureMode") == "FailOpen" for fields in (before, after))
        if parts - ({"podTemplate", "picker"} if name in new.in_place else {"picker"} if open_ else set()):
            yield f"{name} changes {parts} under traffic"
        scaled = [fields.get("replicas", 1) for fields in (before, after)]
        if scaled[1] is None and (scaled[0] or 1) > 1 and name not in new.in_place:
            yield f"{name} is left to an autoscaler, which begins with one"


def _place(stage: Stage) -> int:
    return {"baseline": -1, "prepare": 0, "retire": 101}.get(stage, stage)  # pyright: ignore[reportArgumentType, reportReturnType, reportCallIssue]


def _on_the_ladder(here: Stage, there: Stage, steps: tuple[int, ...]) -> bool:
    """Up to the next rung above, down as far as prepare, baseline from prepare only, from retire back to 100 only."""
    if here == there:
        return True
    if _place(there) > _place(here):
        rungs = ["baseline", "prepare", *steps, "retire"]
        return here in rungs and rungs[rungs.index(here) + 1] == there
    if there == "baseline":
        return here == "prepare"
    return there == 100 if here == "retire" else True


# --- by hand: any record, and another made of it by a few changes -----------------------------------------------------------


@QUICK
@given(pairs())
def test_no_allowed_move_does_harm(pair):
    old, new = pair

    reasons = move.judge("chat", old, new)

    event("refused" if reasons else "allowed, the same" if old == new else "allowed, another")
    assert reasons or harm(old, new) == []


@QUICK
@given(pairs())
def test_whatever_goes_up_is_asked_about_unless_an_override_allows_it_and_whatever_falls_never_is(pair):
    old, new = pair
    asked = raised(old, new)
    allowed = move.judge("chat", old, new) == []
    splits_of = {"": (old.pools, new.pools)} | {n: (s, new.adapters[n]) for n, s in old.adapters.items() if n in new.adapters}

    for name, (before, after) in splits_of.items():
        up = _place(after.stage) > _place(before.stage)
        once = after.override if after.override != before.override else None
        lifted = once is not None and (once.origin, once.to) == (before.stage, after.stage)
        event(f"up {up}, lifted {lifted}, allowed {allowed}")
        assert (name in asked.names) <= (up and not lifted)
        assert (name in asked.retired) == ((before.stage, after.stage) == (100, "retire") and not lifted)
        if allowed and up and not lifted and after.stage not in ("baseline", "prepare"):
            assert name in (*asked.names, *asked.retired)


@QUICK
@given(pairs())
def test_every_reason_is_one_sentence_of_its_own(pair):
    reasons = move.judge("chat", *pair)

    assert len(set(reasons)) == len(reasons)
    assert all(reason.strip() == reason != "" and "\n" not in reason for reason in reasons)


@QUICK
@given(splits(), splits(), st.sets(names))
def test_staying_is_always_allowed(pools, adapter, in_place):
    here = record(pools, {"tone": adapter}, in_place=tuple(in_place), limits=HELD)

    assert move.judge("chat", here, here, NOW) == []


HELD = Limits(
    peak=1000,
    capacity={name: Capacity(1, 1, "requestsPerSecond") for name in "abc"},
    freeze=(Freeze("Mon", "Sun", "UTC", "for ever"),),
)
"""Limits under which nothing may rise: a window that never ends, and no version that could carry anything."""
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def fallen(split: Split, there: Stage) -> Split:
    """The same split, lower; nothing else changes."""
    return replace(split, stage=there, weights=weights_at(there, split.serving, str(split.to)))


@QUICK
@given(splits(), splits(), st.sets(names), st.integers(1, 100))
def test_a_fall_that_changes_nothing_else_is_never_refused(pools, adapter, in_place, weight):
    here = record(pools, {"tone": adapter}, in_place=tuple(in_place), limits=HELD)
    for split in (pools, adapter):
        ways: list[Stage] = [100] if split.stage == "retire" else ["prepare", weight] if isinstance(split.stage, int) else []
        for there in ways:
            if _place(there) >= _place(split.stage):
                continue
            down = fallen(split, there)
            fell = replace(here, pools=down) if split is pools else replace(here, adapters={"tone": down})
            assert move.judge("chat", here, fell, NOW) == []


# --- by the plan: sequences of edits of a real stack file -----------------------------------------------------------------

rungs = st.sampled_from(["baseline", "prepare", 1, 10, 50, 100, "retire"])


def _block(service: dict[str, Any], whose: str) -> tuple[dict[str, Any], str, str]:
    """The map that holds serving and rollout, and the names of its two versions."""
    return (service, "old", "new") if whose == "pools" else (service["adapters"].get("tone", {}), "tone-v1", "tone-v2")


def _put(service: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        service = service.setdefault(parent, {})
    service[last] = value


def _edit(service: dict[str, Any], edit: tuple[str, Any, Any]) -> None:
    """One edit of the file, as an operator makes it."""
    kind, whose, value = edit
    block, *both = _block(service, whose)
    serving = block.get("serving")
    other = both[serving == both[0]]
    rollout = block.get("rollout", {})
    if kind == "stage":
        block["rollout"] = {"to": other, "steps": [1, 10, 50, 100], **rollout, "stage": value}
    elif kind == "next":
        ladder = ["baseline", "prepare", *rollout.get("steps", [1, 10, 50, 100]), "retire"]
        here = rollout.get("stage", "baseline")
        there = ladder[min(ladder.index(here) + 1, len(ladder) - 1)] if here in ladder else here
        block["rollout"] = {"to": other, "steps": [1, 10, 50, 100], **rollout, "stage": there}
    elif kind == "steps" and rollout:
        rollout["steps"] = value
    elif kind == "leave":
        block.pop("rollout", None)
    elif kind == "finish":
        block["serving"] = rollout.get("to", serving)
        block.pop("rollout", None)
    elif kind == "override" and rollout:
        rollout["override"] = {"from": rollout["stage"], "to": value, "reason": "r", "by": "ada"}
        rollout["stage"] = value
    elif kind == "decommission":
        block["decommission"] = value
    elif kind == "adapter gone":
        service["adapters"].pop("tone", None)
    elif kind == "adapter back":
        service["adapters"].setdefault("tone", copy.deepcopy(STACK["services"]["chat"]["adapters"]["tone"]))
    elif kind == "put":
        _put(service, *value)


PUTS = [
    ("versions.old.server.image", "vllm/vllm-openai:v0.33.0"),
    ("versions.new.server.image", "vllm/vllm-openai:v0.33.0"),
    ("versions.new.nodes.spot", True),
    ("versions.old.allowInPlaceUpdates", True),
    ("versions.new.server.replicas", 2),
    ("versions.new.server.autoscaling", {"min": 1, "max": 3}),
    ("versions.old.endpointPicker", {"failureMode": "FailClose"}),
    ("versions.old.endpointPicker", {"failureMode": "FailClose", "image": "epp:v2"}),
    ("versions.old.endpointPicker", {"image": "epp:v2"}),
    ("namespace", "prod"),
    ("longestRequest", "600s"),
    ("adapters.style.versions.style-v1.source", "gs://adapters/elsewhere"),
]

whose = st.sampled_from(["pools", "tone"])
edits = st.one_of(
    st.tuples(st.just("next"), whose, st.none()),
    st.tuples(st.just("next"), whose, st.none()),
    st.tuples(st.just("stage"), whose, rungs),
    st.tuples(st.just("steps"), whose, st.sampled_from([[1, 10, 50, 100], [10, 100], [1, 10, 25, 50, 100]])),
    st.tuples(st.sampled_from(["leave", "finish"]), whose, st.none()),
    st.tuples(st.just("override"), whose, rungs),
    st.tuples(st.just("decommission"), whose, st.booleans()),
    st.tuples(st.sampled_from(["adapter gone", "adapter back"]), st.just("tone"), st.none()),
    st.tuples(st.just("put"), st.just("pools"), st.sampled_from(PUTS)),
)
updates = st.lists(edits.map(lambda edit: [edit]) | st.lists(edits, min_size=2, max_size=3), min_size=4, max_size=15)


@settings(max_examples=100, deadline=None)
@given(whose, rungs, updates)
def test_no_sequence_of_edits_of_a_stack_file_does_harm_or_gets_stuck(who, created_at, wanted):
    """What is created starts on any rung; refused updates leave what is deployed; after each allowed one the way back is open."""
    file = copy.deepcopy(dict(STACK))
    _edit(file["services"]["chat"], ("stage", who, created_at))
    deployed = plan_of(file)
    for update in wanted:
        tried = copy.deepcopy(file)
        for edit in update:
            _edit(tried["services"]["chat"], edit)
        try:
            planned = plan_of(tried)
        except InputError:
            continue
        if move.judge("chat", deployed, planned):
            continue
        assert harm(deployed, planned) == []
        event(f"{deployed.pools.serving} at {deployed.pools.stage} to {planned.pools.serving} at {planned.pools.stage}")
        file, deployed = tried, planned
        for back in _ways_back(file):
            assert move.judge("chat", deployed, plan_of(back)) == []


def _ways_back(file: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The file with each of its rollouts taken down, and nothing else changed."""
    service = file["services"]["chat"]
    for who in ("pools", "tone"):
        rollout = _block(service, who)[0].get("rollout")
        if rollout and rollout["stage"] not in ("baseline", "prepare"):
            back = copy.deepcopy(file)
            _block(back["services"]["chat"], who)[0]["rollout"]["stage"] = 100 if rollout["stage"] == "retire" else "prepare"
            yield back


# --- whatever the wire brings ---------------------------------------------------------------------------------------------

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a", "retire", "name", "x/y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "a", "pool", "stage", "nodePool"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def wires(draw) -> dict[str, Any]:
    """A record's wire with one or two values replaced by junk."""
    wire = as_hooks_see(draw(pairs())[draw(st.integers(0, 1))].to_wire())
    for _ in range(draw(st.integers(0, 2))):
        place: Any = wire
        key = draw(st.sampled_from(sorted(place)))
        while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
            place = place[key]
            key = draw(st.sampled_from(sorted(place)))
        place[key] = draw(junk)
    return wire


@QUICK
@given(wires(), wires())
def test_whatever_can_be_read_can_be_judged_and_all_else_is_refused_in_words(before, after):
    try:
        old, new = Record.from_wire(before), Record.from_wire(after)
    except Unreadable as e:
        event("unreadable")
        said(e)
    else:
        assert all(isinstance(reason, str) and reason for reason in move.judge("chat", old, new))


@QUICK
@given(junk)
def test_what_is_no_record_at_all_is_refused_in_words(value):
    for read in (Record.from_wire, Split.from_wire):
        try:
            read(value)
        except Unreadable as e:
            said(e)


def said(refusal: Unreadable) -> None:
    """That it is said what cannot be read."""
    assert " is " in str(refusal)
