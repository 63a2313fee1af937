"""`rollout rehearse`: which file a STACK means, and how the command ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import ROLLOUT, command, in_a_process, rollout
from tests.conftest import ROOT, stack_path

# --- which file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "stack"),
    [
        ("Pulumi.copy.yaml", "copy"),
        ("copy.yml", "copy"),
        ("my copy.yaml", "my copy"),
        ("a.b.yaml", "a.b"),
        ("Pulumi.a.b.yml", "a.b"),
    ],
)
def test_a_path_with_any_file_name_is_a_stack_called_by_it(tmp_path, file, stack):
    (tmp_path / file).write_text(re.sub(r"\n +rollout: .*", "", stack_path("node-update").read_text("utf-8")))

    assert rollout("rehearse", str(tmp_path / file), "--json").document == {"stack": stack, "rollouts": []}


def test_the_project_is_found_from_the_working_directory_upward(monkeypatch):
    monkeypatch.chdir(ROOT / "tests" / "cli")

    assert command("rehearse", "lora-adapter", "--json").document["stack"] == "lora-adapter"


def test_a_path_needs_no_slash_when_it_ends_as_a_file_does(monkeypatch):
    monkeypatch.chdir(ROOT / "stacks")

    assert command("rehearse", "Pulumi.lora-adapter.yaml", "--json").document["stack"] == "lora-adapter"


def test_the_project_is_not_looked_for_where_the_file_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    ended = command("rehearse", str(stack_path("lora-adapter")))

    assert (ended.code, ended.out) == (1, "")
    assert "no Pulumi.yaml" in ended.err


# --- how it ends ------------------------------------------------------------------------------------------------------


def broken(tmp_path: Path, stack: str, old: str, new: str) -> str:
    """A copy of a stack with one mistake in it."""
    text = stack_path(stack).read_text("utf-8")
    assert old in text
    path = tmp_path / "broken.yaml"
    path.write_text(text.replace(old, new))
    return str(path)


def test_problems_in_the_file_are_sentences_on_stderr_and_exit_code_1(tmp_path):
    ended = rollout("rehearse", broken(tmp_path, "node-update", "serving: llm", "servng: llm"), "--json")

    assert (ended.code, ended.out) == (1, "")
    assert "did you mean serving?" in ended.err
    assert "Traceback" not in ended.err


def test_a_name_that_collides_is_a_sentence_too_and_not_a_traceback_of_the_program(tmp_path):
    like = "like: llm # inherits, then overrides"
    path = broken(tmp_path, "node-update", like, f"{like}\n          names: {{ picker: llm-epp }}")

    ended = in_a_process("rehearse", path)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr
    assert all("llm-epp" in line for line in ended.stderr.splitlines()), "nothing but sentences"


def test_a_stack_that_is_not_there_is_said_with_those_that_are():
    ended = rollout("rehearse", "node-updat")

    assert ended.code == 1
    assert "did you mean node-update?" in ended.err


@pytest.mark.parametrize("args", [("rehearse",), ("rehearse", "node-update", "--moves", "some"), ("rehearse", "--nonsense")])
def test_wrong_usage_is_exit_code_2(args):
    assert rollout(*args).code == 2


def test_what_is_refused_on_the_way_up_is_exit_code_3_and_shown_with_its_reason(tmp_path):
    path = broken(tmp_path, "node-update", "serving: llm", "decommission: true\n      serving: llm")

    shown, document = rollout("rehearse", path), rollout("rehearse", path, "--json")

    assert (shown.code, document.code) == (3, 3)
    assert "refuse" in shown.out
    assert "decommission" in shown.out
    (walked,) = document.document["rollouts"]
    (refused,) = [o for o in walked["stages"][1]["operations"] if o["op"] == "refuse"]
    assert refused["type"] == "inference-rollouts:index:ModelService"
    assert "decommission" in refused["reason"]


@pytest.mark.parametrize("args", [(), ("--json",)])
def test_a_reader_that_goes_away_is_no_news(args):
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as gone:
        ended = subprocess.run(
            [*ROLLOUT, "rehearse", "lora-adapter", *args], cwd=ROOT, stdout=gone, stderr=subprocess.PIPE, text=True, check=False
        )

    assert ended.stderr == ""
    assert ended.returncode != 0


SAYS_WHETHER_IT_IMPORTED_PULUMI = """
import sys
from inference_rollouts.cli import main
sys.argv = ["rollout", "validate", "node-update"]
try:
    main.run()
finally:
    print("pulumi" in sys.modules)
"""


def test_validate_never_imports_pulumi():
    """It takes a second to import."""
    ended = subprocess.run(
        [sys.executable, "-c", SAYS_WHETHER_IT_IMPORTED_PULUMI], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.stdout.splitlines()[-1] == "False"
