"""What the guard cannot judge, it refuses, in words; and no failure ends the callback server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi
import pytest

from components.guard import binding, guard
from inference_rollouts import move
from inference_rollouts.rehearsal.program import Recording, record
from tests.components.asking import SERVICE, answer, asked, during, found
from tests.records import at, planned

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
