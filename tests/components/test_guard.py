"""The guard, asked as the engine asks it: by the gRPC callbacks that the real program registers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pytest

from components.guard import binding, guard, service_guard, split_guard
from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.record import Split
from inference_rollouts.rehearsal.program import Recording, Registration, record, run
from tests.components.asking import REWRITE, ROOT, ROUTE, SERVICE, answer, answer_of, asked, during, found
from tests.records import as_it_is, at, planned, put, stack_config, tone_at

# --- what it refuses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "edit", "what"),
    [(SERVICE, at, "service chat"), (ROUTE, at, "service chat"), (REWRITE, tone_at, "adapter tone")],
)
def test_the_service_the_route_and_each_split_refuse_a_skipped_rung_in_words(kind, edit, what):
    text = answer(kind, edit(1), edit(50))

    assert text.startswith(f"{what}: 1 to 50 skips a rung")


@pytest.mark.parametrize(("kind", "edit"), [(SERVICE, at), (ROUTE, at), (REWRITE, tone_at)])
@pytest.mark.parametrize(("origin", "to"), [(10, 25), (100, "prepare"), ("retire", 100), (10, 10)])
def test_the_service_the_route_and_each_split_consent_to_what_is_allowed(kind, edit, origin, to):
    assert answer(kind, edit(origin), edit(to)) == ""


@pytest.mark.parametrize("edit", [as_it_is, at(10), tone_at(10)])
def test_what_the_program_registers_is_what_its_guards_read_and_staying_is_consented_to(edit):
    def stay(recording: Recording) -> list[str]:
        return [asked(recording, r, r.inputs) for r in recording.resources.values() if r.before_update]

    answers = during(stay, edit)

    assert len(answers) >= 4
    assert set(answers) == {""}


def test_every_reason_is_a_line():
    def wrong(service: dict[str, Any]) -> None:
        at(100)(service)
        put("namespace", "prod")(service)

    lines = answer(SERVICE, at(10), wrong).splitlines()

    assert [line.split(" ")[2] for line in lines] == ["10", "the"]


def test_a_changed_machine_is_named_by_its_field():
    text = answer(SERVICE, as_it_is, put("versions.old.nodes.machineType", "g2-standard-16"))

    assert "nodePool.node_config.machine_type: g2-standard-12 → g2-standard-16" in text


def test_a_service_guard_that_can_ask_nobody_judges_by_the_rules_alone():
    at_10, at_25, at_50 = (planned(at(stage)).to_wire() for stage in (10, 25, 50))

    assert answer_of(lambda: service_guard("chat"), at_10, at_25) == ""
    assert "10 to 50 skips a rung" in answer_of(lambda: service_guard("chat"), at_10, at_50)


def test_a_wanted_object_without_the_annotation_is_left_to_the_guard_of_the_service():
    annotated = {"metadata": {"annotations": {SPLIT_ANNOTATION: planned(at(10)).pools.to_json()}}}

    assert answer_of(lambda: split_guard("chat", "service chat"), annotated, {"metadata": {"name": "chat"}}) == ""


# --- numbers, annotations -------------------------------------------------------------------------------------------------


def test_numbers_come_as_floats_and_are_judged_as_what_they_are():
    seen: list[Any] = []

    def judge(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
        seen.extend((old["stage"], new["stage"]))
        return []

    def program() -> None:
        pulumi.ComponentResource("t:index:T", "t", {"stage": 25}, pulumi.ResourceOptions(hooks=binding(guard("g", judge))))

    def ask(recording: Recording) -> None:
        (registration,) = recording.resources.values()
        recording.call_hook("g", registration, {"stage": 10})

    record(program, "test", {}, ask)

    assert [type(stage) for stage in seen] == [float, float]
    assert "10 to 50 skips a rung" in answer(SERVICE, at(10), at(50))


@pytest.mark.parametrize("kind", [ROUTE, REWRITE])
def test_a_route_or_split_without_the_annotation_is_left_to_the_guard_of_the_service(kind):
    name, edit = ("tone", tone_at(50)) if kind == REWRITE else ("", at(50))
    imported = {"metadata": {"name": "chat"}}

    for old in ({}, {"metadata": None}, imported, {"metadata": {"annotations": {"other": "x"}}}):
        assert during(lambda recording, old=old: asked(recording, found(recording, kind, name), old), edit) == ""


@pytest.mark.parametrize("text", ["{", "[]", '{"serving": "old"}'])
def test_an_annotation_that_cannot_be_read_is_refused(text):
    old = {"metadata": {"annotations": {SPLIT_ANNOTATION: text}}}

    assert "could not be judged" in during(lambda recording: asked(recording, found(recording, ROUTE), old), at(10))


def test_the_route_refuses_what_the_record_of_a_half_way_update_would_let_pass():
    behind = {"metadata": {"annotations": {SPLIT_ANNOTATION: planned(at(10)).pools.to_json()}}}

    text = during(lambda recording: asked(recording, found(recording, ROUTE), behind), at(50))

    assert "10 to 50 skips a rung" in text


# --- where it is bound ----------------------------------------------------------------------------------------------------

EDITS = {"pools": (at(10),), "adapter": (tone_at(10),), "legacy": (tone_at(10), put("inferenceApi", "v1alpha2"))}


@pytest.fixture(params=EDITS)
def recording(request) -> Recording:
    return run(ROOT, "test", stack_config(*EDITS[request.param]))


def carriers_of_a_split(recording: Recording) -> Iterator[Registration]:
    for registration in recording.resources.values():
        annotations = (registration.inputs.get("metadata") or {}).get("annotations") or {}
        if SPLIT_ANNOTATION in annotations or registration.type == SERVICE:
            yield registration


def test_whatever_carries_a_split_is_guarded_before_updates_by_one_hook(recording):
    kinds = {r.type.rpartition(":")[2] for r in carriers_of_a_split(recording)}

    assert {"ModelService", "HTTPRoute"} < kinds
    assert kinds & {"InferenceModelRewrite", "InferenceModel"}
    assert all(len(r.before_update) == 1 for r in carriers_of_a_split(recording))


def test_no_hook_is_bound_to_anything_but_before_update(recording):
    for registration in recording.resources.values():
        assert [option for option in registration.unmodelled if option.startswith("hooks")] == []


def test_every_hook_has_a_name_of_its_own_asks_in_previews_too_and_may_refuse(recording):
    assert recording.twice == []
    bound = [hook for r in recording.resources.values() for hook in r.before_update]
    assert sorted(bound) == sorted(recording.hooks)
    assert all(hook.on_dry_run and not hook.ignore_errors for hook in recording.hooks.values())


def test_a_binding_names_its_hook_before_updates_only():
    async def made():
        return service_guard("other")  # a hook registers itself on the running loop

    hook = asyncio.run(made())
    bound = binding(hook)

    assert bound.before_update == [hook]
    others = ("before_create", "after_create", "after_update", "before_delete", "after_delete", "on_error")
    assert not any(getattr(bound, name, None) for name in others)


def test_the_annotation_is_the_split_of_the_record(recording):
    service = found(recording, SERVICE)
    route = found(recording, ROUTE)

    annotated = Split.from_json(route.inputs["metadata"]["annotations"][SPLIT_ANNOTATION])

    assert annotated == Split.from_wire(service.inputs["pools"])
