"""`rollout rehearse`: its document and its text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.cli.command import command, in_a_process, rollout
from tests.conftest import EXAMPLES, ROOT, stack_path

OPS = {"create", "update", "replace", "delete", "same", "refuse"}
OPERATION = {"op", "type", "name", "object", "protected", "diff", "reason"}
STAGE = {"stage", "weights", "operations"}


# --- the document -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", EXAMPLES)
def test_json_is_one_document_of_the_agreed_shape(stack):
    ended = rollout("rehearse", stack, "--json")

    assert (ended.code, ended.err) == (0, "")
    assert ended.document.keys() == {"stack", "rollouts"}
    assert ended.document["stack"] == stack
    (walked,) = ended.document["rollouts"]
    assert walked.keys() == {"service", "adapter", "kind", "from", "to", "stages"}
    for stage in walked["stages"]:
        assert stage.keys() == STAGE
        assert stage["operations"]
        for operation in stage["operations"]:
            assert operation.keys() == OPERATION


def test_nothing_but_the_document_is_on_stdout_and_nothing_on_stderr_in_a_process_of_its_own():
    ended = in_a_process("rehearse", "lora-adapter", "--json")

    assert json.loads(ended.stdout)["stack"] == "lora-adapter"
    assert (ended.stderr, ended.returncode) == ("", 0), "also what the program logs stays out of the way"


@pytest.mark.parametrize(
    ("stack", "wanted"),
    [
        ("node-update", {"service": "llm", "adapter": None, "kind": "node", "from": "llm", "to": "llm-new"}),
        (
            "base-model",
            {"service": "llm", "adapter": None, "kind": "base-model", "from": "llm-pool", "to": "llm-pool-version-2"},
        ),
        ("lora-adapter", {"service": "llm", "adapter": "llm", "kind": "adapter", "from": "llm-v1", "to": "llm-v2"}),
    ],
)
def test_a_rollout_is_named_by_what_it_moves_and_between_what(stack, wanted):
    (walked,) = rollout("rehearse", stack, "--json").document["rollouts"]

    assert {key: walked[key] for key in wanted} == wanted


@pytest.mark.parametrize("stack", EXAMPLES)
def test_the_stages_are_the_ladder_with_numbers_for_weights_and_then_finish(stack):
    (walked,) = rollout("rehearse", stack, "--json").document["rollouts"]
    stages = [stage["stage"] for stage in walked["stages"]]

    assert (stages[:2], stages[-3:]) == (["baseline", "prepare"], [100, "retire", "finish"])
    assert all(type(stage) is int for stage in stages[2:-2]), "a weight is a whole number, not a text or a float"


@pytest.mark.parametrize("stack", EXAMPLES)
def test_weights_are_whole_numbers_of_what_stands_and_add_up_to_100(stack):
    (walked,) = rollout("rehearse", stack, "--json").document["rollouts"]
    stable, canary = walked["from"], walked["to"]

    for stage in walked["stages"]:
        weights = stage["weights"]
        assert sum(weights.values()) == 100
        assert all(type(weight) is int for weight in weights.values()), "no nulls"
        standing = {"baseline": {stable}, "retire": {canary}, "finish": {canary}}.get(stage["stage"], {stable, canary})
        assert weights.keys() == standing
        if type(stage["stage"]) is int:
            assert weights[canary] == stage["stage"]


@pytest.mark.parametrize("stack", EXAMPLES)
def test_operations_name_types_as_pulumi_does_and_components_too(stack):
    (walked,) = rollout("rehearse", stack, "--json").document["rollouts"]
    operations = [operation for stage in walked["stages"] for operation in stage["operations"]]

    for operation in operations:
        assert operation["op"] in OPS
        assert operation["type"].count(":") == 2
        assert isinstance(operation["name"], str)
        assert isinstance(operation["protected"], bool)
        assert all(isinstance(path, str) for path in operation["diff"])
        assert operation["reason"] is None or operation["reason"]
        component = operation["type"].startswith(("inference-rollouts:", "pulumi:providers:"))
        assert (operation["object"] is None) == component, "components have no object of their own"
    assert "inference-rollouts:index:ModelService" in {operation["type"] for operation in operations}
    routes = {o["object"] for o in operations if o["type"] == "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"}
    assert routes == {"routes-to-llm"}


def test_a_changed_protect_bit_alone_is_same_with_that_diff():
    (walked,) = rollout("rehearse", "node-update", "--json").document["rollouts"]
    by_stage = {stage["stage"]: stage["operations"] for stage in walked["stages"]}

    def pool(stage: Any, name: str) -> Any:
        (found,) = [o for o in by_stage[stage] if o["type"].endswith(":NodePool") and o["object"] == name]
        return found["op"], found["diff"], found["protected"]

    assert pool(1, "llm-new") == ("same", ["protect"], True)
    assert pool(10, "llm-new") == ("same", [], True)
    assert pool("retire", "llm") == ("same", ["protect"], False)
    assert pool("finish", "llm") == ("delete", [], False)


def test_all_moves_are_every_ordered_pair_of_stages_without_finish():
    (walked,) = rollout("rehearse", "lora-adapter", "--moves", "all", "--json").document["rollouts"]
    ladder = [stage["stage"] for stage in walked["stages"] if stage["stage"] != "finish"]

    assert [(move["from"], move["to"]) for move in walked["moves"]] == [(a, b) for a in ladder for b in ladder]
    for move in walked["moves"]:
        assert move.keys() == {"from", "to", "allowed", "reasons"}
        assert move["allowed"] == (move["reasons"] == [])


def test_moves_are_there_only_when_they_were_asked_for():
    (walked,) = rollout("rehearse", "lora-adapter", "--json").document["rollouts"]

    assert "moves" not in walked


def test_several_rollouts_in_one_stack_are_each_walked():
    document = rollout("rehearse", str(stack_path("several-services")), "--json").document

    assert [(walked["service"], walked["adapter"]) for walked in document["rollouts"]] == [("chat", None), ("style", "formal")]


def test_several_stacks_are_still_one_document():
    document = rollout("rehearse", "node-update", "lora-adapter", "--json").document

    assert [one["stack"] for one in document] == ["node-update", "lora-adapter"]


# --- the text ---------------------------------------------------------------------------------------------------------


def test_text_is_plain_when_it_is_piped():
    ended = rollout("rehearse", "node-update")

    assert (ended.code, ended.err) == (0, "")
    assert "\x1b" not in ended.out, "no escape codes in a file or a log"
    for wanted in ("node rollout", "HTTPRoute routes-to-llm", "NodePool llm-new", "90 %", "retire", "finish", "rehearsal"):
        assert wanted in ended.out


def test_text_is_coloured_when_that_is_forced_and_says_the_same(monkeypatch):
    plain = rollout("rehearse", "lora-adapter").out
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "500")

    coloured = command("rehearse", "lora-adapter").out

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == plain.split()


def test_text_names_every_stage_of_every_stack():
    out = rollout("rehearse", *EXAMPLES).out

    for stack in EXAMPLES:
        assert stack in out
    assert out.count("\nprepare") == 3


def test_the_matrix_of_moves_says_why_what_is_refused_is_refused():
    out = rollout("rehearse", "lora-adapter", "--moves", "all").out

    assert "baseline to 50:" in out
    assert "skips a rung" in out


def test_a_stack_without_a_rollout_says_so(tmp_path):
    text = re.sub(r"\n +rollout: .*", "", stack_path("node-update").read_text("utf-8"))
    (tmp_path / "resting.yaml").write_text(text)

    assert "resting: no rollout in the file" in rollout("rehearse", str(tmp_path / "resting.yaml")).out
    document = rollout("rehearse", str(tmp_path / "resting.yaml"), "--json").document
    assert document == {"stack": "resting", "rollouts": []}
