"""Limits of a raise that need no live data: capacity and freeze windows. A fall is never held back by them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from inference_rollouts import move
from inference_rollouts.plan import plan_for
from inference_rollouts.record import Record
from inference_rollouts.settings import load
from tests.conftest import example

FREEZE = {"from": "2026-12-20", "to": "2027-01-02", "timezone": "UTC", "reason": "holidays"}
INSIDE = datetime(2026, 12, 24, 12, tzinfo=UTC)
OUTSIDE = datetime(2026, 11, 24, 12, tzinfo=UTC)


def service(stage: Any, *, stable: float | None = None, canary: float | None = None, **keys: Any) -> Any:
    """The service of node-update, planned at a stage: 4 stable replicas, 2 of the canary, with what one of each carries."""
    config = {key.split(":")[1]: value for key, value in example("node-update").items() if key.startswith("inference-rollouts:")}
    found = config["services"]["llm"]
    found["rollout"]["stage"] = stage
    found |= {key: value for key, value in keys.items() if key not in ("rollout", "autoscaling")}
    found["rollout"] |= keys.get("rollout", {})
    for name, amount in (("llm", stable), ("llm-new", canary)):
        server = found["versions"][name]["server"]
        server["capacity"] = {"requestsPerSecond": amount} if amount else None
        if keys.get("autoscaling"):
            server["autoscaling"] = keys["autoscaling"]
    return plan_for(load(config)).services[0]


def wired(stage: Any, **keys: Any) -> Record:
    """Its record, after the way through Pulumi's state."""
    return Record.from_wire(service(stage, **keys).record.to_wire())


def judged(old: Record, new: Record, now: datetime = OUTSIDE) -> list[str]:
    return move.judge("llm", old, new, now)


def test_a_raise_is_refused_where_the_canary_could_not_carry_its_weight_and_says_how_many_replicas_could():
    figures = {"stable": 5.0, "canary": 4.0}

    assert judged(wired(10, **figures), wired(25, **figures)) == []
    assert judged(wired(25, **figures), wired(50, **figures)) == [
        "service llm: llm-new would get 50 % of 20 requests/s, and its 2 replicas carry 8; "
        "give it 3 replicas in an update of its own, then raise"
    ]


def test_the_peak_is_the_demand_where_it_is_given():
    figures = {"stable": 5.0, "canary": 4.0, "peak": {"requestsPerSecond": 12}}

    assert judged(wired(25, **figures), wired(50, **figures)) == []


def test_stable_must_carry_what_is_left_for_it():
    figures = {"stable": 1.0, "canary": 50.0, "peak": {"requestsPerSecond": 40}}

    (reason,) = judged(wired("prepare", **figures), wired(1, **figures))

    assert reason.startswith("service llm: llm would get 99 % of 40 requests/s, and its 4 replicas carry 4")


def test_a_fall_is_never_a_question_of_capacity():
    figures = {"stable": 5.0, "canary": 0.1}

    assert judged(wired(50, **figures), wired(10, **figures)) == []


def test_without_figures_there_is_no_check_and_the_preview_says_so():
    assert judged(wired(25), wired(50)) == []
    assert "capacity: not checked, since server.capacity is not given for llm and llm-new" in service(25).notes
    assert not any("capacity" in note for note in service(25, stable=5.0, canary=4.0).notes)


def test_no_weight_is_raised_inside_a_freeze_window_and_falling_is_allowed():
    frozen = {"freeze": [FREEZE]}

    (reason,) = judged(wired(10, **frozen), wired(25, **frozen), INSIDE)
    assert reason == (
        "service llm: no weight is raised from 2026-12-20 to 2027-01-02 UTC (holidays); wait for its end, "
        "or change freeze in an update of its own (falling is allowed)"
    )
    assert judged(wired(10, **frozen), wired(25, **frozen), OUTSIDE) == []
    assert judged(wired(10, **frozen), wired("prepare", **frozen), INSIDE) == []


def test_a_window_that_is_taken_out_together_with_the_raise_still_holds():
    assert len(judged(wired(10, freeze=[FREEZE]), wired(25), INSIDE)) == 1


def test_an_override_of_this_very_move_is_allowed_inside_a_window():
    override = {"override": {"from": 10, "to": 25, "reason": "stable is down", "by": "ann"}}

    assert judged(wired(10, freeze=[FREEZE]), wired(25, freeze=[FREEZE], rollout=override), INSIDE) == []


@pytest.mark.parametrize(
    ("stage", "stable", "canary"),
    [("baseline", 1, None), ("prepare", 4, 1), (1, 4, 1), (10, 4, 2), (25, 4, 3), (50, 4, 5), (100, 4, 5), ("retire", 4, 5)],
)
def test_an_autoscaler_keeps_what_the_next_rung_and_a_rollback_need(stage, stable, canary):
    """Demand 20: stable keeps 4 pods of 5 each; the canary, 4 each, has the next rung's pods before the weight is there."""
    scale = {"min": 1, "max": 5}
    found = service(stage, stable=5.0, canary=4.0, autoscaling=scale, peak={"requestsPerSecond": 20})
    least = {v.name: v.server.autoscaling.min for v in found.versions if v.server and v.server.autoscaling}

    assert least == {"llm": stable, **({"llm-new": canary} if canary else {})}


def picker(mode: str, image: str) -> Record:
    """The record at 10, with a picker of stable that fails in one way and has one image."""
    config = {key.split(":")[1]: value for key, value in example("node-update").items() if key.startswith("inference-rollouts:")}
    config["services"]["llm"]["versions"]["llm"]["endpointPicker"] = {"failureMode": mode, "image": image}
    return Record.from_wire(plan_for(load(config)).services[0].record.to_wire())


def test_a_picker_may_change_under_traffic_where_its_pool_fails_open_and_not_where_it_fails_closed():
    assert judged(picker("FailOpen", "epp:v1"), picker("FailOpen", "epp:v2")) == []

    reason, of_the_canary = judged(picker("FailClose", "epp:v1"), picker("FailClose", "epp:v2"))
    assert "llm-new carries 10 %" in of_the_canary, "it is like llm"
    assert "llm carries 90 % of the traffic, and this changes its endpoint picker" in reason
    assert "picker.pod.spec.containers[epp].image: epp:v1 → epp:v2" in reason


def test_a_pool_may_stop_failing_closed_under_traffic():
    assert judged(picker("FailClose", "epp:v1"), picker("FailOpen", "epp:v1")) == []


# --- figures, and what must not shrink --------------------------------------------------------------------------------------


def sized(stage: Any, *, llm: Any = 4, new: Any = 4, carry: float | None = 5.0, peak: float | None = 20, **keys: Any) -> Record:
    """The record with replicas (or an autoscaler's max) of stable and of the canary; one of each carries the same."""
    config = {key.split(":")[1]: value for key, value in example("node-update").items() if key.startswith("inference-rollouts:")}
    found = config["services"]["llm"]
    found["rollout"]["stage"] = stage
    found |= {"peak": {"requestsPerSecond": peak}, **keys} if peak and carry else keys
    for name, size in (("llm", llm), ("llm-new", new)):
        server = found["versions"][name]["server"]
        server.pop("replicas", None)
        server |= {"replicas": size} if isinstance(size, int) else {"autoscaling": size}
        server |= {"capacity": {"requestsPerSecond": carry}} if carry else {}
    return Record.from_wire(plan_for(load(config)).services[0].record.to_wire())


@pytest.mark.parametrize("stage", ["prepare", 10, 50, 100, "retire"])
def test_stable_keeps_what_a_rollback_gives_back_to_it(stage: Any):
    (reason,) = judged(sized(stage), sized(stage, llm=1))

    assert reason == (
        "service llm: llm goes from 4 replicas to 1, and it needs 4 for 100 % of 20 requests/s, which it carries or a rollback "
        "gives back to it; keep at least 4 (with an autoscaler: its max), or change peak or server.capacity in an update of its "
        "own first"
    )
    assert judged(sized(stage, llm=6), sized(stage, llm=4)) == []
    assert len(judged(sized(stage, peak=None), sized(stage, peak=None, llm=3))) == 1, "its deployed pods are the demand"


def test_at_rest_only_a_peak_says_what_is_needed():
    assert judged(sized("baseline", peak=None), sized("baseline", peak=None, llm=1)) == []
    assert len(judged(sized("baseline"), sized("baseline", llm=3))) == 1
    assert judged(sized("baseline", carry=None), sized("baseline", carry=None, llm=1)) == [], "there are no figures"


def test_the_canary_keeps_what_its_weight_needs_also_in_the_update_that_takes_the_weight_away():
    assert judged(sized("prepare"), sized("prepare", new=1)) == []
    assert judged(sized(50), sized(50, new=2)) == []
    assert len(judged(sized(50), sized(50, new=1))) == 1
    assert len(judged(sized(50), sized("prepare", new=1))) == 1
    assert len(judged(sized("retire"), sized("retire", new=3))) == 1


def test_an_autoscalers_max_is_what_a_version_may_carry():
    four, two = {"min": 1, "max": 4}, {"min": 1, "max": 2}

    assert len(judged(sized(50, llm=four), sized(50, llm=two))) == 1
    assert judged(sized(50, llm=four), sized(50, llm={"min": 2, "max": 4})) == []


def test_stable_does_not_shrink_in_the_update_that_raises():
    (reason,) = judged(sized(50), sized(100, llm=1))

    assert "llm goes from 4 replicas to 1" in reason


@pytest.mark.parametrize("relaxed", [{"peak": 4}, {"carry": 50.0}, {"carry": None}])
def test_figures_are_not_relaxed_in_the_update_that_they_would_refuse(relaxed: dict[str, Any]):
    before = sized(25, new=1, carry=5.0)

    (reason,) = judged(before, sized(50, **{"new": 1, **relaxed}))
    assert reason.startswith("service llm: llm-new would get 50 % of 20 requests/s, and its 1 replicas carry 5")
    assert judged(before, sized(25, **{"new": 1, **relaxed})) == [], "in an update of their own they are"
    assert len(judged(sized(50, llm=4), sized(50, llm=2, peak=8))) == 1


def test_a_raise_of_an_adapter_waits_for_the_end_of_a_window_too():
    def at(stage: Any, **keys: Any) -> Record:
        config = {
            key.split(":")[1]: value for key, value in example("lora-adapter").items() if key.startswith("inference-rollouts:")
        }
        (service,) = config["services"].values()
        (adapter,) = service["adapters"].values()
        adapter["rollout"]["stage"] = stage
        return Record.from_wire(plan_for(load({**config, "services": {"llm": service | keys}})).services[0].record.to_wire())

    (reason,) = judged(at(10, freeze=[FREEZE]), at(50, freeze=[FREEZE]), INSIDE)
    assert "no weight is raised from 2026-12-20" in reason
    assert judged(at(50, freeze=[FREEZE]), at(10, freeze=[FREEZE]), INSIDE) == []


def test_the_configuration_of_a_picker_that_fails_closed_is_frozen_too():
    def with_config(text: str) -> Record:
        config = {
            key.split(":")[1]: value for key, value in example("node-update").items() if key.startswith("inference-rollouts:")
        }
        config["services"]["llm"]["versions"]["llm"]["endpointPicker"] = {"failureMode": "FailClose", "config": text}
        return Record.from_wire(plan_for(load(config)).services[0].record.to_wire())

    reason, _ = judged(with_config("a: 1"), with_config("a: 2"))
    assert "picker.config" in reason
