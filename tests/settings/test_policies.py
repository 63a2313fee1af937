"""A canary with somebody else's pool: no traffic without the backend policy that stable has; and falling is never refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.plan import plan_for
from inference_rollouts.settings import load
from tests.records import STACK

POLICY = {"securityPolicy": "my-armor"}


def stack(
    stage: Any, *, policy: dict[str, Any] | None = None, gke: bool = True, serving: str = "old", **external: str
) -> dict[str, Any]:
    """The stack with a canary that is somebody else's, and without adapters, which it could not have."""
    found = copy.deepcopy(dict(STACK))
    service = found["services"]["chat"]
    service["versions"]["new"] = {"external": {"pool": "theirs", **external}}
    service["rollout"] = {"to": "new" if serving == "old" else "old", "stage": stage}
    service |= {"adapters": {}, "serving": serving}
    service |= {"backendPolicy": policy} if policy else {}
    found["cluster"] = found["cluster"] if gke else {"context": "kind"}
    return found


def refused(*args: Any, **keys: Any) -> list[str]:
    try:
        load(stack(*args, **keys))
    except InputError as e:
        return [f"{problem.path}: {problem.message}" for problem in e.problems]
    return []


@pytest.mark.parametrize("stage", [1, 50, 100, "retire"])
def test_a_canary_that_lacks_the_policy_gets_no_traffic_unless_its_owner_has_attached_it(stage):
    (reason,) = refused(stage, policy=POLICY)

    assert reason.startswith(
        "services.chat.versions.new.external: its pool gets nothing of the service's backendPolicy (securityPolicy)"
    )
    assert refused(stage, policy=POLICY, backendPolicy="own") == []
    assert refused(stage) == []


@pytest.mark.parametrize("stage", ["baseline", "prepare"])
def test_where_it_has_no_traffic_a_note_says_so_and_a_fall_is_not_refused(stage):
    (service,) = plan_for(load(stack(stage, policy=POLICY))).services
    (own,) = plan_for(load(stack(stage, policy=POLICY, backendPolicy="own"))).services

    assert [note for note in service.notes if "nothing of the service's backendPolicy (securityPolicy)" in note]
    assert not [note for note in own.notes if "backendPolicy" in note]


def test_a_canary_that_is_built_here_gets_the_policy_whatever_stable_is():
    assert refused(10, policy=POLICY, serving="new") == []


def test_without_gke_there_are_no_policies_and_so_none_is_lacking():
    found = refused(10, policy=POLICY, gke=False)

    assert [text for text in found if "backendPolicy: has no effect without name and location of a GKE cluster" in text]
    assert not [text for text in found if "its pool gets nothing" in text]


def test_the_word_about_the_policy_has_an_effect_or_is_a_problem():
    path = "services.chat.versions.new.external.backendPolicy: has no effect"

    assert [text for text in refused(10, backendPolicy="own") if text.startswith(path)]
