"""One small project, and the engines that can move it: the scripted one, a fake CLI over it, and Pulumi's own CLI.

The project's program registers the records of its services with their real guards, and nothing else: no provider, so that the
real CLI can run it without plugins, cluster or cloud. What objects and live questions add is tested on the scripted stack only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.drive.scripted import ScriptedStack

STACK = "node-update"
NO_CLI = "pulumi CLI not on PATH (install it with Pulumi's installer)"
PROGRAM = '''"""The records of the services, with their guards."""

import pulumi

from components import stack_config
from components.guard import binding, service_guard
from inference_rollouts import plan, settings

for service in plan.plan_for(settings.load(stack_config())).services:
    guarded = pulumi.ResourceOptions(hooks=binding(service_guard(service.name)))
    pulumi.ComponentResource("inference-rollouts:index:ModelService", service.name, service.record.to_wire(), guarded)
'''


def make_project(folder: Path, stage: str = "10") -> Path:
    """The project; its one stack's file."""
    (folder / "stacks").mkdir(parents=True)
    project = {
        "name": "inference-rollouts",
        "runtime": {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(ROOT / "venv")}},
        "stackConfigDir": "stacks",
    }
    (folder / "Pulumi.yaml").write_text(json.dumps(project), "utf-8")
    (folder / "__main__.py").write_text(PROGRAM, "utf-8")
    file = folder / "stacks" / f"Pulumi.{STACK}.yaml"
    text = (ROOT / "stacks" / file.name).read_text("utf-8")
    file.write_text(text.replace("stage: 10", f"stage: {stage}"), "utf-8")
    return file


def scripted(folder: Path) -> ScriptedStack:
    """The engine without any command."""
    return ScriptedStack(folder, STACK, folder / "stacks" / f"Pulumi.{STACK}.yaml")


def fake_cli(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, **script: Any) -> None:
    """Put a fake `pulumi` on PATH."""
    (home / "bin").mkdir(parents=True)
    command = home / "bin" / "pulumi"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests/drive/fake_pulumi.py"} "$@"\n', "utf-8")
    command.chmod(0o755)
    played = {"stack": STACK, "project": str(folder), "file": str(folder / "stacks" / f"Pulumi.{STACK}.yaml"), **script}
    (home / "script.json").write_text(json.dumps(played), "utf-8")
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FAKE_PULUMI", str(home))


def real_cli(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulumi's own CLI with its state in a folder, calling nothing outside."""
    if shutil.which("pulumi") is None:
        pytest.skip(NO_CLI)
    (home / "state").mkdir(parents=True)
    settings = {
        "PULUMI_HOME": str(home / "home"),
        "PULUMI_BACKEND_URL": f"file://{home / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": str(ROOT),
    }
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    command = ["pulumi", "stack", "init", STACK, "--non-interactive"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)


def calls(home: Path) -> list[list[str]]:
    """What a fake CLI was called with."""
    return [json.loads(line) for line in (home / "calls.jsonl").read_text("utf-8").splitlines()]
