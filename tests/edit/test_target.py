"""Which rollout a command means, and where it may go from the stage in the file."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inference_rollouts.edit import target
from inference_rollouts.edit.target import Refused, Step, Target
from inference_rollouts.errors import InputError
from inference_rollouts.settings import PROJECT, Stack, load
from tests.conftest import example


def stack(name: str, **rollouts: Any) -> Stack:
    """An example with its rollout at another stage, or without one (None)."""
    services = copy.deepcopy(example(name))[f"{PROJECT}:services"]
    block = services["llm"]["adapters"]["llm"] if name == "lora-adapter" else services["llm"]
    for key, value in rollouts.items():
        if value is None:
            del block[key]
        else:
            block[key] = {**block[key], **value}
    keys = {key.removeprefix(f"{PROJECT}:"): value for key, value in example(name).items() if key.startswith(PROJECT)}
    return load({**keys, "services": services})


def at(stage: Any, name: str = "node-update") -> Target:
    return target.under_way(stack(name, rollout={"stage": stage}), "prod", None)


def two() -> Stack:
    """Two services that roll out at the same time."""
    keys = {key.removeprefix(f"{PROJECT}:"): value for key, value in example("node-update").items() if key.startswith(PROJECT)}
    services = copy.deepcopy(keys["services"])
    more = copy.deepcopy(services["llm"])
    more |= {"route": {"name": "b", "hostnames": ["b.example.com"]}, "serving": "b"}
    more["versions"] = {"b": more["versions"]["llm"], "b-new": {**more["versions"]["llm-new"], "like": "b"}}
    more["rollout"]["to"] = "b-new"
    return load({**keys, "services": {**services, "more": more}})


def sentence(problem: pytest.ExceptionInfo[BaseException]) -> str:
    return str(problem.value)


# --- which ------------------------------------------------------------------------------------------------------------


def test_the_only_rollout_needs_no_name():
    assert str(target.under_way(stack("node-update"), "prod", None).place) == "llm"
    assert str(target.under_way(stack("lora-adapter"), "prod", None).place) == "llm/llm"


def test_one_of_two_rollouts_must_be_named_and_both_are_listed():
    with pytest.raises(InputError) as caught:
        target.under_way(two(), "prod", None)

    assert sentence(caught) == "2 rollouts are under way; say which: llm or more"
    assert str(target.under_way(two(), "prod", "more").place) == "more"


def test_without_a_rollout_the_command_that_begins_one_is_said():
    with pytest.raises(InputError) as caught:
        target.under_way(stack("node-update", rollout=None), "prod", None)

    assert sentence(caught) == "no rollout is under way; begin one: rollout start prod llm --to VERSION"


def test_a_misspelt_name_gets_the_nearest_and_all_that_are_allowed():
    with pytest.raises(InputError) as caught:
        target.under_way(stack("lora-adapter"), "prod", "llm/lm")

    assert sentence(caught) == "llm/lm is no service or adapter of this stack; did you mean llm/llm?; allowed: llm or llm/llm"


def test_a_service_whose_adapter_rolls_out_is_pointed_to_it():
    with pytest.raises(InputError) as caught:
        target.under_way(stack("lora-adapter"), "prod", "llm")

    assert sentence(caught) == "service llm has no rollout; under way: llm/llm"


# --- advance ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "there"), [("baseline", "prepare"), ("prepare", 1), (1, 10), (10, 25), (25, 50), (50, 100), (100, "retire")]
)
def test_advance_goes_to_the_next_rung(here, there):
    assert target.advance(at(here)) == Step(there)
    assert target.advance(at(here), str(there)) == Step(there)


def test_at_retire_only_the_finish_is_left():
    with pytest.raises(Refused) as caught:
        target.advance(at("retire"))

    assert sentence(caught) == "service llm: retire is the last rung; what is left is the finish: rollout finish prod llm"


@pytest.mark.parametrize(("here", "there"), [(10, "50"), ("prepare", "10"), (50, "retire"), ("baseline", "1")])
def test_advance_skips_no_rung_and_says_so_in_the_guards_words(here, there):
    with pytest.raises(Refused, match="service llm: "):
        target.advance(at(here), there)


@pytest.mark.parametrize(("here", "there"), [(50, 10), (50, "prepare"), ("prepare", "baseline"), ("retire", 100)])
def test_advance_to_a_stage_further_down_is_what_the_ladder_allows(here, there):
    assert target.advance(at(here), str(there)) == Step(there)


def test_a_stage_that_is_not_on_the_ladder_gets_all_that_are():
    with pytest.raises(InputError) as caught:
        target.advance(at(10), "30")

    assert sentence(caught) == "--to: 30 is not on the ladder; allowed: baseline, prepare, 1, 10, 25, 50, 100 or retire"


def test_advance_to_where_it_stands_is_nothing_to_edit():
    assert target.advance(at(10), "10") == Step(None, "service llm stands at 10 already; nothing to edit")


def test_an_override_in_the_file_allows_its_move():
    override = {"from": 10, "to": 50, "reason": "drill", "by": "ada"}
    rolling = target.under_way(stack("node-update", rollout={"override": override}), "prod", None)

    assert target.advance(rolling, "50") == Step(50)
    with pytest.raises(Refused):
        target.advance(rolling, "100")


# --- rollback ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("here", [1, 10, 25, 50, 100])
def test_rollback_goes_to_prepare_from_any_weight(here):
    assert target.rollback(at(here)) == Step("prepare")


def test_rollback_from_retire_goes_to_100_and_says_how_to_go_on():
    step = target.rollback(at("retire"))

    assert step.to == 100
    assert str(step.said).endswith("then: rollout rollback prod llm")


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ("prepare", "service llm: nothing to roll back: at prepare llm has all the traffic"),
        ("baseline", "service llm: nothing to roll back: at baseline llm has all the traffic, and nothing else stands"),
    ],
)
def test_where_the_new_version_has_no_weight_there_is_nothing_to_roll_back(here, said):
    assert target.rollback(at(here)) == Step(None, said)


# --- finish and start -------------------------------------------------------------------------------------------------


def test_finish_is_for_retire():
    target.finish(at("retire"))


@pytest.mark.parametrize("here", ["baseline", "prepare", 10, 100])
def test_finish_from_elsewhere_says_to_go_up_first(here):
    with pytest.raises(Refused) as caught:
        target.finish(at(here))

    assert sentence(caught) == (
        f"service llm: stands at {here}, and the finish comes after retire; go up first: rollout advance prod llm"
    )


def begun(to: str, steps: list[int] | None = None, **rollout: Any) -> Step:
    found = target.named(stack("node-update", **({"rollout": None} | rollout)), "prod", "llm")
    return target.start(found, to, steps, (1, 100))


def test_start_is_at_prepare():
    assert begun("llm-new") == Step("prepare")
    assert begun("llm-new", rollout={"stage": "baseline"}) == Step("prepare")


def test_start_to_no_version_lists_those_there_are():
    with pytest.raises(InputError) as caught:
        begun("llm-nw")

    assert sentence(caught) == "--to: service llm: llm-nw is no version to go to; did you mean llm-new?; allowed: llm-new"


def test_start_to_the_version_that_serves_lists_the_others():
    with pytest.raises(InputError) as caught:
        begun("llm")

    assert sentence(caught) == "--to: service llm: llm serves already; name another version: llm-new"


def test_start_of_a_second_rollout_is_refused():
    with pytest.raises(Refused) as caught:
        begun("llm-new", rollout={"stage": 10})

    assert sentence(caught) == (
        "service llm: a rollout to llm-new is in the file, at 10; finish it, or take it back to baseline and out of the file, "
        "first"
    )


def test_start_of_a_rollout_at_baseline_does_not_change_its_steps():
    with pytest.raises(Refused, match="change them in the file"):
        begun("llm-new", [1, 100], rollout={"stage": "baseline"})
