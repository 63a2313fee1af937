"""A stack at prepare with a test header, its cluster, and a gateway that sends to the canary's pods."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from inference_rollouts.probed import PROBE_ANNOTATION
from tests.cli.live_project import LiveProject, make_live
from tests.edit.project import Answer
from tests.observe.fake_apiserver import Object, status
from tests.observe.fake_openai import FakeOpenAI
from tests.observe.server_side import WritableApiServer

PODS = ("llm-new-a", "llm-new-b")


@dataclass
class ProbedApiServer(WritableApiServer):
    """It answers for pods, too: with their metrics, unless it is told not to.

    Attributes:
        behind: the servers whose metrics it gives.
        no_metrics: no rights to ask pods.
    """

    behind: FakeOpenAI = field(default_factory=FakeOpenAI)
    no_metrics: bool = False

    def answer(self, path: str, authorization: str | None) -> tuple[int, Any]:
        found = re.fullmatch(r".*/pods/([^/:]+):8000/proxy/metrics", urlsplit(path).path)
        if not found:
            return super().answer(path, authorization)
        self.asked.append(path)
        if self.no_metrics:
            return status(403, "Forbidden", 'pods "x" is forbidden: User "ci" cannot get resource "pods/proxy"')
        return 200, self.behind.metrics(found[1])


@dataclass
class Probed:
    """What a test of `rollout probe` looks at."""

    live: LiveProject
    server: ProbedApiServer
    openai: FakeOpenAI

    def rollout(self, *arguments: str) -> Answer:
        return self.live.rollout(*arguments)

    def probe(self, *arguments: str) -> Answer:
        return self.live.rollout("probe", self.live.name, *arguments)

    def findings(self, *arguments: str) -> dict[str, tuple[str, str]]:
        """Verdict and what was seen, by check."""
        (service,) = json.loads(self.probe("--json", *arguments).out)["services"]
        return {found["check"]: (found["verdict"], found["seen"]) for found in service["findings"]}

    @property
    def route(self) -> Object:
        return self.live.of("HTTPRoute")

    @property
    def evidence(self) -> dict[str, Any] | None:
        text = self.route["metadata"]["annotations"].get(PROBE_ANNOTATION)
        return json.loads(text) if text else None

    @property
    def generations(self) -> list[tuple[str, str]]:
        """Path and model of what was sent."""
        return [(asked.path, asked.body["model"]) for asked in self.openai.asked if asked.body]

    def edit(self, old: str, new: str) -> None:
        """Change the stack file; nothing is deployed."""
        text = self.live.file.read_text("utf-8")
        assert old in text
        self.live.file.write_text(text.replace(old, new, 1), "utf-8")


def pod(name: str, app: str, *, ready: bool = True) -> Object:
    told = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    meta = {"name": name, "namespace": "default", "labels": {"app": app}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": told}


def gateway(port: int, name: str = "my-inference-gateway", protocol: str = "HTTP") -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"listeners": [{"name": "web", "protocol": protocol, "port": port}]},
        "status": {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}]},
    }


def make_probed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, server: ProbedApiServer, openai: FakeOpenAI, stack: str = "node-update"
) -> Probed:
    """The example at prepare, deployed, with a test header that is required."""
    live = make_live(folder, monkeypatch, stack, server)
    text = live.file.read_text("utf-8")
    test = 'test: { header: x-canary, value: "yes", required: true }'
    live.file.write_text(re.sub(r"stage: \w+", f"stage: prepare, settle: 0s, {test}", text, count=1), "utf-8")
    live.up()
    server.put(gateway(openai.port), *(pod(name, "llm-new") for name in PODS), pod("llm-a", "llm"))
    openai.asked.clear()
    return Probed(live, server, openai)
