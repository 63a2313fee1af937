"""Only the verb that is asked for is loaded, and every verb is found."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.main import get_command

from inference_rollouts.cli.main import COMMANDS, everything
from tests.conftest import ROOT


def test_every_verb_is_where_the_table_says():
    assert set(get_command(everything()).commands) == {verb for verbs in COMMANDS.values() for verb in verbs}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("module", "verb"), [(module, verb) for module, verbs in COMMANDS.items() for verb in verbs])
def test_a_verb_that_is_loaded_alone_is_still_a_verb(module, verb):
    others = [other for other in COMMANDS if other != module]
    script = (
        "import sys; from inference_rollouts.cli.main import run; import inference_rollouts.cli.main as main\n"
        f"sys.argv = ['rollout', '{verb}', '--help']\n"
        "try: run()\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        f"loaded = [m for m in {others!r} if 'inference_rollouts.cli.' + m in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert f"rollout {verb}" in done.stdout


def test_help_and_a_wrong_verb_know_all_of_them():
    for arguments in (["--help"], ["nonsense"]):
        done = subprocess.run(
            [sys.executable, "-m", "inference_rollouts.cli.main", *arguments],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert all(verb in done.stdout for verbs in COMMANDS.values() for verb in verbs) or "No such command" in done.stderr


@pytest.mark.parametrize(("where", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
@pytest.mark.parametrize("verb", ["schema", "status node-update", "status --json node-update"])
def test_a_verb_that_is_there_to_tell_says_why_it_cannot(verb, where, why):
    done = in_a_shell(f"{verb} {where}")

    assert (done.returncode, done.stderr) == (1, f"stdout cannot be written: {why}\n")


def test_a_wrong_command_line_stays_one_where_stdout_is_closed():
    done = in_a_shell("nonsense >&- <&-")

    assert done.returncode == 2
    assert "stdout" not in done.stderr


def test_who_reads_no_further_gets_no_words_about_it():
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "inference_rollouts.cli.main", "status", "node-update"]
    done = subprocess.run(command, cwd=ROOT, stdout=writes, stderr=subprocess.PIPE, check=False)
    os.close(writes)

    assert (done.returncode, done.stderr) == (1, b"")


def in_a_shell(arguments: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m inference_rollouts.cli.main {arguments}'
    return subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
