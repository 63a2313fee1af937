"""`rollout validate` as a person runs it: exit codes, what goes to which stream, and which file a STACK is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, ROOT

GOOD = (ROOT / "tests/settings/bad_files/node.yaml").read_text("utf-8")
BAD = GOOD.replace("stage: 10", "stage: 11")
ONE_PROBLEM = (
    "services.llm.rollout.stage: 11 is not on the ladder of these steps; allowed: baseline, prepare, 1, 10, 50, 100 or retire"
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"}


def rollout(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command, by its real entry point."""
    command = [sys.executable, "-m", "inference_rollouts.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def project(tmp_path):
    """A project of its own with one good stack and one bad one."""
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: inference-rollouts\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "stacks/Pulumi.prod.yaml").write_text(GOOD)
    (folder / "stacks/Pulumi.staging.yaml").write_text(BAD)
    return folder


def test_the_shipped_stacks_have_no_problems():
    done = rollout("validate", *EXAMPLES, cwd=ROOT)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"stacks/Pulumi.{name}.yaml: no problems" for name in EXAMPLES]


def test_problems_go_to_stderr_and_the_exit_code_is_1(project):
    done = rollout("validate", "staging", cwd=project)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"stacks/Pulumi.staging.yaml:22: {ONE_PROBLEM}\n"


def test_every_problem_of_every_file_is_said_at_once_and_the_good_ones_too(project):
    (project / "worse.yaml").write_text(BAD.replace("serving: llm\n", "serving: lm\n").replace("nvidia-l4", "nvidia-l44"))
    done = rollout("validate", "staging", "prod", "worse.yaml", "missing.yaml", cwd=project)

    assert done.returncode == 1
    assert done.stdout == "stacks/Pulumi.prod.yaml: no problems\n"
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["missing.yaml", "cannot be read"],
        ["stacks/Pulumi.staging.yaml:22", "services.llm.rollout.stage"],
        ["worse.yaml:7", "services.llm.serving"],
        ["worse.yaml:10", "services.llm.versions.llm.nodes.accelerator"],
        ["worse.yaml:22", "services.llm.rollout.stage"],
    ]


@pytest.mark.parametrize("arguments", [("validate",), ("validate", "--fix", "prod"), ("valdate", "prod")])
def test_wrong_usage_is_exit_code_2_and_goes_to_stderr(arguments, project):
    done = rollout(*arguments, cwd=project)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: " in done.stderr


def test_a_name_is_a_stack_of_the_project_found_from_the_working_directory_upward(project):
    deep = project / "docs/pictures"
    deep.mkdir(parents=True)
    done = rollout("validate", "prod", cwd=deep)

    assert (done.returncode, done.stdout) == (0, f"{project}/stacks/Pulumi.prod.yaml: no problems\n")


def test_a_path_needs_no_project_and_any_file_name_will_do(project, tmp_path):
    (tmp_path / "mine.yml").write_text(GOOD)
    done = rollout("validate", "./mine.yml", "mine.yml", "project/stacks/Pulumi.prod.yaml", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{name}: no problems" for name in ("mine.yml", "mine.yml", "project/stacks/Pulumi.prod.yaml")
    ]


def test_the_project_is_never_found_from_the_folder_of_a_file(project, tmp_path):
    done = rollout("validate", "project/stacks/Pulumi.prod.yaml", "prod", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (1, "project/stacks/Pulumi.prod.yaml: no problems\n")
    assert done.stderr == f"no Pulumi.yaml in {tmp_path} or above it; run this in the project's folder, or below it\n"


def test_a_stack_that_there_is_not_is_said_with_the_nearest_and_all_there_are(project):
    done = rollout("validate", "stagign", cwd=project)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "stacks: there is no stack stagign; did you mean staging? Stacks: prod and staging\n"


def test_no_bytes_make_a_traceback(tmp_path):
    deep = b"config: {services: " + b"{a: " * 200
    for i, data in enumerate((b"", b"\x00\x01\x02", b"\xff\xfe", b"[" * 10_000, b"a: &a [*a]", deep)):
        (tmp_path / f"{i}.yaml").write_bytes(data)
    done = rollout("validate", *(f"{i}.yaml" for i in range(6)), cwd=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert {line[:6] for line in done.stderr.splitlines()} == {f"{i}.yaml" for i in range(6)}


def test_validating_never_imports_pulumi():
    script = (
        "import sys; from inference_rollouts.cli import main\n"
        "sys.argv = ['rollout', 'validate', 'node-update', 'lora-adapter']\n"
        "try: main.run()\n"
        "except SystemExit as e: assert e.code in (0, None), e.code\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'pulumi', 'pulumi_gcp', 'pulumi_kubernetes', 'grpc'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stderr, done.stdout.splitlines()[-1]) == ("", "[]")


def test_as_json_every_problem_is_told_with_its_place(tmp_path):
    (tmp_path / "bad.yaml").write_text("config:\n  inference-rollouts:cluster: {name: c, locatoin: l}\n")
    done = rollout("validate", str(ROOT / "stacks/Pulumi.node-update.yaml"), "bad.yaml", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (1, "")
    assert document["sound"] == [str(ROOT / "stacks/Pulumi.node-update.yaml")]
    assert {"path": "cluster.locatoin", "file": "bad.yaml", "line": 2} in [
        {key: problem[key] for key in ("path", "file", "line")} for problem in document["problems"]
    ]
