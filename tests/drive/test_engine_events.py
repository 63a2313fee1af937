"""The engine's events, as the Automation API hands them on, in the words of the rehearsal."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from inference_rollouts.drive.engine_events import Told
from inference_rollouts.rehearsal.engine import Operation

PARENT = "inference-rollouts:index:ModelService$inference-rollouts:index:WeightedRoute"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
URN = f"urn:pulumi:prod::inference-rollouts::{PARENT}${ROUTE}::llm"


def step(op: str, *, old: int | None = 10, new: int | None = 25, protect: tuple[bool, bool] = (True, True), **more: Any) -> Any:
    def side(weight: int | None, protected: bool) -> Any:
        if weight is None:
            return None
        inputs = {"metadata": {"name": "routes-to-llm"}, "spec": {"weight": float(weight)}}
        return {"type": ROUTE, "urn": URN, "custom": True, "protect": protected, "inputs": inputs}

    metadata = {"op": op, "urn": URN, "type": ROUTE, "old": side(old, protect[0]), "new": side(new, protect[1]), **more}
    return EngineEvent.from_json({"resourcePreEvent": {"metadata": metadata}})


def error(message: str) -> Any:
    return EngineEvent.from_json({"diagnosticEvent": {"message": message, "severity": "error"}})


def told(*events: Any) -> tuple[Told, list[Operation]]:
    begun: list[Operation] = []
    taken = Told(begun.append)
    for event in events:
        taken(event)
    return taken, begun


def test_an_update_has_its_paths_with_both_values():
    taken, begun = told(step("update", detailedDiff={"spec.weight": {"diffKind": "update"}}))

    (operation,) = taken.operations
    assert (operation.op, operation.title, operation.diff) == ("update", "HTTPRoute routes-to-llm", ("spec.weight",))
    assert operation.values == ((10, 25),)
    assert begun == [operation]


def test_a_replacement_is_one_operation_whatever_its_steps():
    taken, begun = told(step("create-replacement"), step("replace"), step("delete-replaced", new=None))

    assert [operation.op for operation in taken.operations] == ["replace"]
    assert len(begun) == 1


def test_a_changed_protection_shows_on_what_stays_the_same():
    taken, begun = told(step("same", new=10, protect=(False, True)))

    (operation,) = taken.operations
    assert (operation.op, operation.diff, operation.protected) == ("same", ("protect",), True)
    assert begun == [], "nothing that anybody waits for"


@pytest.mark.parametrize(
    ("message", "reasons", "ended"),
    [
        ('<{%reset%}>before hook "llm.guard" failed: one\ntwo<{%reset%}>\n', ("one", "two"), "refused"),
        ("<{%fg 1%}>error: <{%reset%}>resource timed out\n", ("resource timed out",), "failed"),
        ("<{%reset%}>update failed<{%reset%}>\n", (), "failed"),
        ("preview failed", (), "failed"),
    ],
)
def test_an_error_is_a_reason_in_its_own_words(message, reasons, ended):
    taken, _ = told(error(message))

    assert (taken.reasons, taken.refused_or_failed) == (reasons, ended)


def test_a_mandatory_policy_refuses():
    event = {"policyEvent": {"message": "no\n", "policyName": "split-adds-up", "enforcementLevel": "mandatory"}}
    taken, _ = told(EngineEvent.from_json(event))

    assert (taken.reasons, taken.refused_or_failed) == (("policy split-adds-up: no",), "refused")


def test_what_is_only_read_is_no_operation():
    assert told(step("read"), step("refresh"))[0].operations == ()
