"""What only Pulumi's own CLI can say: that it reads the project and its stack files as the rehearsal does.

Runs where `pulumi` is on PATH, on a copy of the project with its state in a folder. A whole `pulumi preview` needs the gcp and
kubernetes plugins and a cluster, and is not tested here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, ROOT, example

pytestmark = pytest.mark.skipif(
    shutil.which("pulumi") is None, reason="pulumi CLI not on PATH (install it with Pulumi's installer)"
)

Pulumi = Callable[..., str]


@pytest.fixture
def pulumi(tmp_path: Path) -> Pulumi:
    """The CLI on a copy of the project, calling nothing outside."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "stacks", project / "stacks")
    shutil.copy(ROOT / "Pulumi.yaml", project)
    (tmp_path / "state").mkdir()
    env = {
        **os.environ,
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }

    def run(*args: str) -> str:
        command = ["pulumi", *args, "--non-interactive", "--color", "never"]
        return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=True, timeout=120).stdout

    return run


@pytest.mark.parametrize("stack", EXAMPLES)
def test_the_cli_takes_the_project_and_reads_each_example_as_the_rehearsal_does(pulumi, stack):
    pulumi("stack", "init", stack)

    config = json.loads(pulumi("config", "--json", "--stack", stack))

    read = {key: value.get("objectValue", value.get("value")) for key, value in config.items()}
    for key, value in example(stack).items():
        assert read[key] == value, f"{key}: the CLI's YAML and ours differ"
