"""`rollout rollback --now` and `status --live` on a real API server, with objects as the provider writes them: created by a
POST, then applied server-side in the same name."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference_rollouts.manifests import adapter_split
from inference_rollouts.manifests.route import http_route
from inference_rollouts.observe.patch import NOW_ANNOTATION
from inference_rollouts.plan import plan_for
from inference_rollouts.settings.stack_file import read
from sandbox.home import Home
from tests.conftest import ROOT, stack_path

pytestmark = pytest.mark.sandbox

MANAGER = "pulumi-kubernetes-0a1b2c3d"
NAMESPACE = "rollback-now"


@dataclass(frozen=True)
class Stack:
    """A stack file, and the cluster that its objects stand in."""

    file: Path
    kubectl: tuple[str, ...]
    kubeconfig: Path

    def rollout(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        verb, *more = arguments
        command = [sys.executable, "-m", "inference_rollouts.cli.main", verb, str(self.file), *more]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def live(self) -> list[dict[str, Any]]:
        return json.loads(self.rollout("status", "--live", "--json").stdout)["live"]["services"][0]["splits"]

    def run(self, *arguments: str, value: Any = None) -> str:
        command = [*self.kubectl, *arguments]
        sent = None if value is None else json.dumps(value)
        return subprocess.run(command, input=sent, capture_output=True, text=True, timeout=60, check=True).stdout

    def objects(self) -> Iterator[dict[str, Any]]:
        (service,) = plan_for(read(self.file).settings()).services
        yield http_route(service.route)
        for version in service.versions:
            yield from (adapter_split.split(args) for args in version.splits.values())

    def create(self) -> None:
        for value in self.objects():
            self.run("create", f"--field-manager={MANAGER}", "-f", "-", value=value)

    def up(self, stage: object) -> None:
        self.file.write_text(re.sub(r"stage: \w+", f"stage: {stage}", self.file.read_text("utf-8")), "utf-8")
        for value in self.objects():
            self.run("apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", "-f", "-", value=value)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return json.loads(self.run("get", kind, name, "-n", NAMESPACE, "-o", "json", "--show-managed-fields"))


@pytest.fixture(params=["node-update", "lora-adapter"])
def stack(request: pytest.FixtureRequest, shared_home: Home, tmp_path: Path) -> Iterator[Stack]:
    context = yaml.safe_load(shared_home.kubeconfig.read_text("utf-8"))["current-context"]
    text = stack_path(request.param).read_text("utf-8")
    text = text.replace("location: us-central1 }", f"location: us-central1, context: {context} }}")
    text = re.sub(r"^(      )(serving: )", rf"\1namespace: {NAMESPACE}\n\1\2", text, count=1, flags=re.MULTILINE)
    file = tmp_path / f"Pulumi.{request.param}.yaml"
    file.write_text(text, "utf-8")
    found = Stack(file, (str(shared_home.bin / "kubectl"), f"--kubeconfig={shared_home.kubeconfig}"), shared_home.kubeconfig)
    found.run("create", "namespace", NAMESPACE)
    yield found
    found.run("delete", "namespace", NAMESPACE)


def the_split(stack: Stack) -> tuple[str, str]:
    """Kind and name of the object whose rollout is under way."""
    return ("httproute", "routes-to-llm") if "node" in stack.file.name else ("inferencemodelrewrite", "llm-pool-llm")


def test_rollback_now_writes_what_pulumi_would_and_loses_nothing(stack: Stack) -> None:
    stack.create()
    stack.up(50)
    kind, name = the_split(stack)
    stack.run("annotate", kind, name, "-n", NAMESPACE, "team=ml")
    assert {split["live"]["stage"] for split in stack.live()} >= {50}

    done = stack.rollout("rollback", "--now", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert [written["manager"] for written in json.loads(done.stdout)["objects"]] == [MANAGER]
    assert [split["differences"] for split in stack.live()] == [[] for _ in stack.live()]

    before = stack.get(kind, name)
    stack.up("prepare")
    after = stack.get(kind, name)
    assert (before["spec"], before["metadata"]["generation"]) == (after["spec"], after["metadata"]["generation"])
    assert NOW_ANNOTATION in before["metadata"]["annotations"]
    assert NOW_ANNOTATION not in after["metadata"]["annotations"], "the update takes the mark off"
    assert after["metadata"]["annotations"]["team"] == "ml"
    assert after["metadata"]["labels"] == before["metadata"]["labels"]


def test_an_object_that_was_only_created_keeps_what_its_creation_owns(stack: Stack) -> None:
    stack.create()
    kind, name = the_split(stack)
    before = stack.get(kind, name)
    assert stack.rollout("rollback", "--now", "--yes").returncode == 0

    after = stack.get(kind, name)
    annotations = set(before["metadata"]["annotations"])
    assert set(after["metadata"]["annotations"]) == {*annotations, NOW_ANNOTATION}
    assert after["spec"].keys() == before["spec"].keys()
    stack.up("prepare")
    assert set(stack.get(kind, name)["metadata"]["annotations"]) == annotations


def test_the_kubectl_line_of_status_does_the_same(stack: Stack) -> None:
    stack.create()
    kind, name = the_split(stack)
    service = json.loads(stack.rollout("status", "--json").stdout)["services"][0]
    (line,) = service["byHand"] or service["adapters"][0]["byHand"]
    words = shlex.split(line)
    stack.run(*words[3:])  # without kubectl, --context and its value

    by_hand = stack.get(kind, name)["spec"]
    stack.up("prepare")
    assert stack.get(kind, name)["spec"] == by_hand


def test_an_object_that_is_gone_is_not_created(stack: Stack) -> None:
    stack.create()
    kind, name = the_split(stack)
    stack.run("delete", kind, name, "-n", NAMESPACE)
    done = stack.rollout("rollback", "--now", "--yes")

    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing of that name" in done.stderr
