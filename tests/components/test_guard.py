"""The guard, asked as the engine asks it: by the gRPC callbacks that the real program registers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.guard import binding, guard, service_guard
from inference_rollouts import move
from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.record import Split
from inference_rollouts.rehearsal.program import Recording, Registration, record, run
from tests.records import Edit, as_it_is, at, planned, put, stack_config, tone_at

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "inference-rollouts:index:ModelService"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
REWRITE = "kubernetes:inference.networking.x-k8s.io/v1alpha2:InferenceModelRewrite"

Ask = Callable[[Recording], Any]


def during(ask: Ask, *edits: Edit) -> Any:
    """The answer to a question that is asked while the program's hooks can be called."""
    answers = []
    run(ROOT, "test", stack_config(*edits), lambda recording: answers.append(ask(recording)))
    return answers[0]


def found(recording: Recording, kind: str, name: str = "") -> Registration:
    """The one registration of a type whose logical name holds a text."""
    (registration,) = (r for r in recording.resources.values() if r.type == kind and name in r.name)
    return registration


def asked(recording: Recording, registration: Registration, old_inputs: Mapping[str, Any]) -> str:
    """What the one hook of a resource answers."""
    (hook,) = registration.before_update
    return recording.call_hook(hook, registration, old_inputs)


def answer(kind: str, deployed: Edit, wanted: Edit) -> str:
    """What the guard of a kind answers to a move of the pools or of the adapter tone."""
    name = "tone" if kind == REWRITE else ""
    before = planned(deployed)
    annotated = before.adapters["tone"] if kind == REWRITE else before.pools
    old = before.to_wire() if kind == SERVICE else {"metadata": {"annotations": {SPLIT_ANNOTATION: annotated.to_json()}}}
    return during(lambda recording: asked(recording, found(recording, kind, name), old), wanted)


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


# --- what it cannot judge -------------------------------------------------------------------------------------------------


class Unsayable(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError


FAILURES = [
    TimeoutError(),
    AssertionError(),
    KeyError("x"),
    ValueError(""),
    ValueError("\n\n"),
    asyncio.CancelledError(),
    asyncio.CancelledError("stop"),
    RecursionError(),
    MemoryError(),
    StopIteration(),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(0),
    SystemExit(""),
    BaseException(),
    Unsayable(),
    pulumi.RunError(""),
]


def raising(error: BaseException) -> Callable[..., list[str]]:
    def judge(*_: Any) -> list[str]:
        raise error

    return judge


def looking(result: Callable[..., Any]) -> Callable[..., Any]:
    async def ask(*_: Any) -> Any:
        await asyncio.sleep(0)
        return result()

    return ask


def consenting(*_: Any) -> list[str]:
    return []


ODD: dict[str, Callable[..., Any]] = {"none": lambda *_: None, "empty": lambda *_: [""], "number": lambda *_: [5]}


def guards() -> Iterator[pulumi.ResourceHook]:
    """One for each way in which a judgement, or a look at the world, can fail; and one that consents."""
    for i, error in enumerate(FAILURES):
        yield guard(f"judge-{i}", raising(error))
        yield guard(f"ask-{i}", consenting, looking(raising(error)))
    for name, odd in ODD.items():
        yield guard(f"judge-{name}", odd)
        yield guard(f"ask-{name}", consenting, looking(odd))
    yield guard("judge-refuses", lambda *_: ["no; go back"], looking(raising(KeyError("asked"))))
    yield guard("ask-refuses", consenting, looking(lambda: ["not ready; wait"]))
    yield guard("consent", consenting, looking(consenting))


@pytest.fixture(scope="module")
def answers_to_failures() -> Mapping[str, str]:
    """The answer of each of them, all from one program, the one that consents last."""
    answers: dict[str, str] = {}

    def program() -> None:
        for hook in guards():
            pulumi.ComponentResource("t:index:T", hook.name, {"n": 1}, pulumi.ResourceOptions(hooks=binding(hook)))

    def ask(recording: Recording) -> None:
        # The one that consents last: the order in which they were registered varies.
        for registration in sorted(recording.resources.values(), key=lambda r: r.name == "consent"):
            answers[registration.name] = recording.call_hook(registration.name, registration, {"n": 0})

    record(program, "test", {}, ask)
    assert list(answers)[-1] == "consent"
    return answers


@pytest.mark.parametrize("who", ["judge", "ask"])
@pytest.mark.parametrize(
    "number", range(len(FAILURES)), ids=[repr(e) if not isinstance(e, Unsayable) else "Unsayable" for e in FAILURES]
)
def test_whatever_the_judgement_dies_of_is_a_refusal_in_words(answers_to_failures, who, number):
    text = answers_to_failures[f"{who}-{number}"]

    assert text.startswith("this change could not be judged, so it is refused")
    assert type(FAILURES[number]).__name__ in text or "RuntimeError" in text  # a coroutine turns StopIteration into one
    assert "\n" not in text


@pytest.mark.parametrize("who", ["judge", "ask"])
@pytest.mark.parametrize("name", ODD)
def test_a_judgement_without_reasons_to_read_is_no_consent(answers_to_failures, who, name):
    assert "could not be judged" in answers_to_failures[f"{who}-{name}"]


def test_the_world_is_asked_only_of_what_the_rules_allow(answers_to_failures):
    assert answers_to_failures["judge-refuses"] == "no; go back"
    assert answers_to_failures["ask-refuses"] == "not ready; wait"


def test_the_callback_server_lives_on_after_every_failure(answers_to_failures):
    assert answers_to_failures["consent"] == ""


@pytest.mark.parametrize("error", [TimeoutError(), AssertionError(), KeyError("x"), asyncio.CancelledError(), RecursionError()])
def test_the_services_own_guard_refuses_when_the_rules_fail(monkeypatch, error):
    monkeypatch.setattr(move, "judge", raising(error))

    text = answer(SERVICE, at(10), at(10))

    assert "could not be judged" in text
    assert type(error).__name__ in text


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "pools"),
        ({"pools": None}, "pools"),
        ({"pools": {"serving": "old", "stage": "canary", "weights": {"old": 100}}}, "'canary', which is no stage"),
        ({"pools": {"serving": "old", "stage": 10, "weights": {"old": "many"}}}, "weights.old is 'many'"),
        ({"pools": "secret"}, "pools"),
    ],
)
def test_deployed_inputs_that_hold_no_record_are_refused_in_words(inputs, words):
    text = during(lambda recording: asked(recording, found(recording, SERVICE), inputs), at(10))

    assert "could not be judged, so it is refused and nothing was changed: Unreadable: the deployed record: " in text
    assert words in text


def test_a_record_that_is_secret_is_refused_in_words():
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": planned(at(10)).pools.to_wire()}

    text = during(lambda recording: asked(recording, found(recording, SERVICE), {"pools": secret}), at(10))

    assert "could not be judged" in text


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
