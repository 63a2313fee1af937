"""Questions to the program's real hooks, asked as the engine asks them, while the program runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi

from components.guard import binding
from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.rehearsal.program import Recording, Registration, record, run
from tests.records import Edit, planned, stack_config

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


def answer_of(hook: Callable[[], pulumi.ResourceHook], old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What a hook answers in a program that has nothing else."""
    answers: list[str] = []

    def program() -> None:
        pulumi.ComponentResource("t:index:T", "t", dict(new), pulumi.ResourceOptions(hooks=binding(hook())))

    def ask(recording: Recording) -> None:
        (registration,) = recording.resources.values()
        answers.append(asked(recording, registration, old))

    record(program, "test", {}, ask)
    return answers[0]
