"""`start`, `advance`, `rollback`, `finish`: what they show, ask, write, say next, and their exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.edit.project import Project, make_project

NEXT = "Next: pulumi preview -s node-update, then pulumi up -s node-update"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path, "node-update", "lora-adapter")


def staged(project: Project, stage: object, stack: str = "node-update") -> None:
    file = project.file(stack)
    file.write_text(re.sub(r"stage: \w+ }", f"stage: {stage} }}", file.read_text("utf-8")), "utf-8")


def stage(project: Project, stack: str = "node-update") -> str:
    found = re.search(r"stage: (\w+) }", project.file(stack).read_text("utf-8"))
    assert found is not None
    return found[1]


def test_advance_shows_the_diff_writes_it_and_says_the_next_commands(project):
    answer = project.rollout("advance", "node-update", "--yes")

    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "service llm: 10 → 25",
        "--- a/stacks/Pulumi.node-update.yaml",
        "+++ b/stacks/Pulumi.node-update.yaml",
        "@@ -17,4 +17,4 @@",
        "           like: llm # inherits, then overrides",
        "           nodes: { accelerator: nvidia-rtx-pro-6000, machineType: g4-standard-48 }",
        "           server: { replicas: 2 }",
        "-      rollout: { to: llm-new, steps: [1, 10, 25, 50, 100], stage: 10 }",
        "+      rollout: { to: llm-new, steps: [1, 10, 25, 50, 100], stage: 25 }",
        "stacks/Pulumi.node-update.yaml is written.",
        NEXT,
    ]
    assert stage(project) == "25"


def test_in_a_pipe_without_yes_nothing_is_written_and_the_exit_code_says_so(project):
    answer = project.rollout("advance", "node-update")

    assert answer.code == 1
    assert "+      rollout: { to: llm-new, steps: [1, 10, 25, 50, 100], stage: 25 }" in answer.out
    assert answer.err == "nothing was written: this is no terminal to ask on; add --yes to write\n"
    assert stage(project) == "10"


@pytest.mark.parametrize(("typed", "code", "after"), [("y\n", 0, "25"), ("n\n", 1, "10"), ("\n", 1, "10")])
def test_on_a_terminal_it_asks_and_no_is_the_default(project, typed, code, after):
    said, exit_code = on_a_terminal(project, ["advance", "node-update"], typed)

    assert "Write this to stacks/Pulumi.node-update.yaml? [y/N]" in said
    assert "\x1b[32m+      rollout: { to: llm-new" in said
    assert (exit_code, stage(project)) == (code, after)
    assert (NEXT in re.sub("\x1b[^m]*m", "", said)) == (code == 0)


def on_a_terminal(project: Project, arguments: list[str], typed: str) -> tuple[str, int]:
    """Run the command with a terminal on both ends."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200", "NO_COLOR": ""}
    command = [sys.executable, "-m", "tests.edit.app", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=project.folder, env=environment)
    os.close(theirs)
    os.write(ours, typed.encode())
    said = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(ours)
    return said.decode(), process.wait(timeout=30)


def test_json_is_one_document_with_the_diff_and_the_next_commands(project):
    answer = project.rollout("advance", "node-update", "--yes", "--json")
    document = json.loads(answer.out)

    assert (answer.code, answer.err) == (0, "")
    assert document.pop("diff").count("\n") == 8
    assert document == {
        "stack": "node-update",
        "file": "stacks/Pulumi.node-update.yaml",
        "service": "llm",
        "adapter": None,
        "changed": True,
        "from": 10,
        "to": 25,
        "said": None,
        "next": ["pulumi preview -s node-update", "pulumi up -s node-update"],
    }


def test_json_without_yes_writes_nothing(project):
    answer = project.rollout("advance", "node-update", "--json")

    assert answer.code == 1
    assert json.loads(answer.out)["changed"] is False
    assert stage(project) == "10"


def test_rollback_writes_prepare(project):
    assert project.rollout("rollback", "node-update", "--yes").code == 0
    assert stage(project) == "prepare"


def test_rollback_at_prepare_says_so_and_is_done(project):
    staged(project, "prepare")
    answer = project.rollout("rollback", "node-update")

    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "service llm: nothing to roll back: at prepare llm has all the traffic\n"
    document = json.loads(project.rollout("rollback", "node-update", "--json").out)
    assert (document["changed"], document["diff"], document["next"]) == (False, "", [])


def test_rollback_from_retire_writes_100_and_says_how_to_go_on(project):
    staged(project, "retire")
    answer = project.rollout("rollback", "node-update", "--yes")

    assert answer.code == 0
    assert "then: rollout rollback node-update llm" in answer.out
    assert stage(project) == "100"


@pytest.mark.parametrize(
    ("here", "arguments"),
    [
        ("10", ["finish", "node-update"]),
        ("10", ["advance", "node-update", "--to", "100"]),
        ("10", ["start", "node-update", "llm", "--to", "llm-new"]),
        ("retire", ["advance", "node-update"]),
    ],
)
def test_what_the_ladder_does_not_allow_is_refused_with_exit_code_3(project, here, arguments):
    staged(project, here)
    before = project.file("node-update").read_bytes()
    answer = project.rollout(*arguments, "--yes")

    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("service llm: ")
    assert project.file("node-update").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["advance", "nod-update"], "there is no stack nod-update; did you mean node-update?"),
        (["advance", "node-update", "lm"], "lm is no service or adapter of this stack; did you mean llm?"),
        (["advance", "node-update", "--to", "30"], "--to: 30 is not on the ladder"),
        (["start", "lora-adapter", "llm", "--to", "x"], "service llm: x is no version to go to; add it to versions first"),
    ],
)
def test_problems_in_the_input_are_sentences_with_exit_code_1(project, arguments, said):
    answer = project.rollout(*arguments, "--yes")

    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err


@pytest.mark.parametrize(
    "arguments", [["start", "node-update", "llm"], ["start", "node-update", "llm", "--to", "a", "--steps", "1;2"], ["advance"]]
)
def test_a_wrong_command_line_has_exit_code_2(project, arguments):
    assert project.rollout(*arguments).code == 2


def test_a_file_that_is_no_stack_file_is_said_with_its_place(project):
    project.file("node-update").write_text("config: [\n", "utf-8")
    answer = project.rollout("advance", "node-update", "--yes")

    assert answer.code == 1
    assert answer.err.startswith("stacks/Pulumi.node-update.yaml:")


def test_a_file_outside_the_project_is_named_to_pulumi(project, tmp_path_factory):
    file = tmp_path_factory.mktemp("elsewhere") / "Pulumi.eu.yaml"
    file.write_bytes(project.file("node-update").read_bytes())
    document = json.loads(project.rollout("advance", str(file), "--json", "--yes").out)

    assert document["next"] == [f"pulumi preview -s eu --config-file {file}", f"pulumi up -s eu --config-file {file}"]
    document = json.loads(project.rollout("advance", "stacks/Pulumi.node-update.yaml", "--json", "--yes").out)
    assert document["next"][0] == "pulumi preview -s node-update"


def test_the_commands_that_are_said_can_be_typed_for_a_path_with_spaces(project, tmp_path_factory):
    file = tmp_path_factory.mktemp("my dir") / "my stack.yaml"
    staged(project, "retire")
    file.write_bytes(project.file("node-update").read_bytes())
    answer = project.rollout("rollback", str(file), "--json", "--yes")
    document = json.loads(answer.out)

    assert shlex.split(document["said"].partition("; then: ")[2]) == ["rollout", "rollback", str(file), "llm"]
    more = ["-s", "my stack", "--config-file", str(file)]
    assert [shlex.split(line) for line in document["next"]] == [["pulumi", verb, *more] for verb in ("preview", "up")]


def test_the_command_that_begins_a_rollout_can_be_typed_too(project, tmp_path_factory):
    file = tmp_path_factory.mktemp("my dir") / "my stack.yaml"
    text = project.file("node-update").read_text("utf-8")
    file.write_text("".join(line for line in text.splitlines(True) if "rollout:" not in line), "utf-8")
    answer = project.rollout("rollback", str(file))

    command = answer.err.strip().partition("; begin one: ")[2]
    assert shlex.split(command) == ["rollout", "start", str(file), "llm", "--to", "VERSION"]


def test_start_takes_its_own_steps_or_the_default_ones(project):
    staged(project, "baseline", "lora-adapter")
    file = project.file("node-update")
    text = "".join(line for line in file.read_text("utf-8").splitlines(True) if "rollout:" not in line)
    for more, written in (([], "1, 10, 25, 50, 100"), (["--steps", "5,100"], "5, 100")):
        file.write_text(text, "utf-8")
        assert project.rollout("start", "node-update", "llm", "--to", "llm-new", "--yes", *more).code == 0
        assert file.read_text("utf-8") == f"{text}      rollout: {{ to: llm-new, steps: [{written}], stage: prepare }}\n"


def test_an_adapter_is_named_by_its_service(project):
    assert project.rollout("advance", "lora-adapter", "llm/llm", "--yes").code == 0
    assert stage(project, "lora-adapter") == "50"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "node-update"],
        ["advance", "node-update", "--yes"],
        ["rollback", "node-update", "--yes"],
        ["history", "node-update"],
    ],
)
def test_verbs_that_only_read_and_edit_never_import_pulumi(project, arguments):
    lines = ["import sys", "from tests.edit.app import run", f"sys.argv = ['rollout', *{arguments!r}]"]
    program = "\n".join([*lines, "try: run()", "finally: print('pulumi' in sys.modules, file=sys.stderr)"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=project.folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )

    assert (found.returncode, found.stderr) == (0, "False\n")


# --- a stdout that cannot be written ----------------------------------------------------------------------------------


def in_a_shell(project: Project, arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    command = f'"{sys.executable}" -m tests.edit.app {arguments}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    reads, writes = os.pipe()
    os.close(reads)  # whoever reads from 9 has left before the first word
    try:
        return subprocess.run(
            ["bash", "-c", f"exec 9>&{writes}; {command}"],
            cwd=project.folder,
            env=environment,
            capture_output=True,
            check=False,
            pass_fds=[writes],
        )
    finally:
        os.close(writes)


LOST = "; only what was to be said there is lost, and the exit code tells how it went\n"
WHERE = {">/dev/full": "No space left on device", ">&-": "it is closed", ">&9": "Broken pipe"}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("as_json", ["", "--json"])
def test_with_yes_the_file_is_written_although_stdout_cannot_be(project, where, as_json):
    answer = in_a_shell(project, f"rollback node-update --yes {as_json} {where}")
    written = "stacks/Pulumi.node-update.yaml is written.\n"

    assert (answer.returncode, stage(project)) == (0, "prepare")
    assert answer.stderr.decode() == f"{written}stdout cannot be written: {WHERE[where]}{LOST}"


@pytest.mark.parametrize("where", [">&- 2>&- <&-", ">/dev/full 2>&1"])
def test_with_yes_the_file_is_written_although_no_stream_is_left(project, where):
    assert in_a_shell(project, f"rollback node-update --yes {where}").returncode == 0
    assert stage(project) == "prepare"


def test_an_encoding_that_lacks_characters_changes_how_it_is_said_and_not_what_is_done(project):
    answer = in_a_shell(project, "rollback node-update --yes", PYTHONIOENCODING="latin-1")
    assert (answer.returncode, answer.stderr, stage(project)) == (0, b"", "prepare")
    assert answer.stdout.startswith(b"service llm: 10 ? prepare\n")

    file = project.file("node-update")
    file.write_text(file.read_text("utf-8").replace("# inherits", "# é →"), "utf-8")
    answer = in_a_shell(project, "advance node-update --yes --json", PYTHONIOENCODING="ascii")
    assert "# é →" in json.loads(answer.stdout)["diff"]


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_without_yes_nothing_is_written_that_could_not_be_shown(project, where):
    answer = in_a_shell(project, f"rollback node-update {where}")

    assert (answer.returncode, stage(project)) == (1, "10")
    assert answer.stderr.decode() in {f"stdout cannot be written: {why}\n" for why in WHERE.values()}


def test_on_a_terminal_nobody_is_asked_about_what_could_not_be_shown(project):
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    command = [sys.executable, "-m", "tests.edit.app", "rollback", "node-update"]
    with open("/dev/full", "w") as full:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        found = subprocess.run(command, stdin=theirs, stdout=full, cwd=project.folder, env=environment, check=False, timeout=30)
    os.close(ours)
    os.close(theirs)

    assert (found.returncode, stage(project)) == (1, "10")


def test_a_refusal_stays_one(project):
    assert in_a_shell(project, "advance node-update --to 100 --json >/dev/full").returncode == 3
