"""`rollout probe` on a running sandbox: real endpoint pickers and routes, simulated model servers, the guard in `up`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from inference_rollouts.observe.bake import last_writer
from inference_rollouts.probed import PROBE_ANNOTATION
from inference_rollouts.rehearsal.walk import own_keys
from inference_rollouts.settings import PROJECT
from inference_rollouts.settings import load as load_settings
from sandbox.home import Home
from sandbox.live import world
from sandbox.live.deployer import Deployer
from sandbox.pki import CONTEXT
from tests.conftest import ROOT, example

pytestmark = pytest.mark.sandbox


@dataclass
class Stack:
    """The example with a test header, deployed on the sandbox."""

    home: Home
    deployer: Deployer
    config: dict[str, Any]
    file: Path

    def at(self, stage: object, **rollout: Any) -> dict[str, Any]:
        """The config at a stage, as the file has it from now on."""
        self.config[f"{PROJECT}:services"]["llm"]["rollout"] |= {"stage": stage, **rollout}
        self.file.write_text(yaml.safe_dump({"config": self.config}), "utf-8")
        return self.config

    def up(self, stage: object) -> tuple[str, ...]:
        """As `pulumi up`: why it was refused; nothing when it was done."""
        applied = self.deployer.up(self.at(stage))
        assert not applied.error
        return applied.preview.refusals

    def probe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        url = f"http://127.0.0.1:{self.home.running().ports.gateway}"
        command = [sys.executable, "-m", "inference_rollouts.cli.main", "probe", str(self.file), "--url", url, *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.home.kubeconfig), "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    def route(self) -> dict[str, Any]:
        kubectl = self.deployer.kubectl
        return json.loads(kubectl.run("get", "httproute", "routes-to-llm", "-o", "json", "--show-managed-fields"))


@pytest.fixture
def stack(shared_home: Home, tmp_path: Path) -> Iterator[Stack]:
    config = example("node-update")
    config[f"{PROJECT}:cluster"]["context"] = CONTEXT
    with mock.patch.dict(os.environ):  # a Deployer leads its process to the sandbox
        deployer = Deployer(shared_home, ROOT, "node-update")
        found = Stack(shared_home, deployer, config, tmp_path / "Pulumi.node-update.yaml")
        found.at("prepare", test={"header": "x-canary", "value": "yes", "required": True})
        world.furnish(deployer.kubectl, load_settings(own_keys(config)), shared_home.running().gateway)
        yield found
        deployer.destroy()
        deployer.kubectl.run("delete", "gateway", "my-inference-gateway")


def test_the_first_raise_waits_for_a_probe_that_passes(stack: Stack):
    assert stack.up("prepare") == ()
    (refusal,) = stack.up(1)
    assert "probe: seen none on the route, wanted a passed probe of llm-new as it stands" in refusal
    assert "run: rollout probe node-update" in refusal

    before = stack.route()
    answer = stack.probe("--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (service,) = json.loads(answer.stdout)["services"]
    findings = {found["check"]: found for found in service["findings"]}
    assert {found["verdict"] for found in findings.values()} == {"pass"}
    assert findings["canary answered"]["seen"] == f"all {service['requests']} replies name a pod of it"
    assert findings["every pod"]["seen"].startswith("2 of 2: llm-new-")

    after = stack.route()
    assert json.loads(after["metadata"]["annotations"][PROBE_ANNOTATION]) == service["evidence"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["spec"] == before["spec"]
    assert last_writer(after) == last_writer(before), "the time at the rung goes on"

    assert stack.up(1) == ()
    assert stack.route()["metadata"]["annotations"][PROBE_ANNOTATION] == after["metadata"]["annotations"][PROBE_ANNOTATION]


def test_a_canary_that_is_changed_or_loses_its_servers_does_not_pass(stack: Stack):
    assert stack.up("prepare") == ()
    assert stack.probe().returncode == 0
    versions = stack.config[f"{PROJECT}:services"]["llm"]["versions"]
    versions["llm-new"]["server"]["env"] = {"CHANGED": "yes"}

    stack.at("prepare")
    ahead = stack.probe()
    assert (ahead.returncode, "so the file is ahead of what is deployed" in ahead.stdout) == (3, True)

    assert stack.up("prepare") == ()
    (refusal,) = stack.up(1)
    assert "and llm-new has changed since" in refusal
    stack.at("prepare")
    assert stack.probe().returncode == 0
    assert stack.up(1) == ()

    stack.deployer.kubectl.run("scale", "deployment", "llm-new", "--replicas=0")
    deadline = time.monotonic() + 30
    while (answer := stack.probe("--no-evidence")).returncode == 0 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert answer.returncode == 3
    assert "canary ready: seen " in answer.stdout
