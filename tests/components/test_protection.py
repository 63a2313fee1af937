"""Loopholes that no rule of movement closes, but protection: what is in state and no longer in the file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from inference_rollouts.rehearsal import engine
from inference_rollouts.rehearsal.program import run
from tests.records import stack_config

ROOT = Path(__file__).resolve().parents[2]


def refusals(deployed: dict[str, Any], wanted: dict[str, Any]) -> tuple[str, ...]:
    """Why the preview of a whole stack refuses."""
    state = engine.state_of(run(ROOT, "test", deployed))
    previews: list[engine.Preview] = []
    run(ROOT, "test", wanted, lambda recording: previews.append(engine.preview(state, recording)))
    return previews[0].refusals


def with_another() -> dict[str, Any]:
    """The stack with a second service beside chat, so that the file is not empty without chat."""
    stack = stack_config()
    services = stack["inference-rollouts:services"]
    other = copy.deepcopy(services["chat"])
    other |= {"serving": "other", "versions": {"other": other["versions"]["old"]}, "route": {"hostnames": ["b.example.com"]}}
    services["other"] = other
    return stack


def without(name: str, stack: dict[str, Any]) -> dict[str, Any]:
    del stack["inference-rollouts:services"][name]
    return stack


def test_a_service_that_is_dropped_without_decommission_is_refused():
    reasons = refusals(with_another(), without("chat", with_another()))

    assert any("HTTPRoute chat is protected and would be deleted" in reason for reason in reasons)
    assert any("ModelService chat" in reason for reason in reasons)


def test_a_service_is_dropped_after_decommission():
    leaving = with_another()
    leaving["inference-rollouts:services"]["chat"]["decommission"] = True

    assert refusals(with_another(), leaving) == ()
    assert refusals(leaving, without("chat", with_another())) == ()


def test_a_renamed_service_is_refused():
    renamed = stack_config()
    renamed["inference-rollouts:services"]["talk"] = renamed["inference-rollouts:services"].pop("chat")

    assert any("ModelService chat is protected" in reason for reason in refusals(stack_config(), renamed))
