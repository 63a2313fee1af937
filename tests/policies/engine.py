"""The engine's side of a policy pack: starts the real pack in its own environment, and asks it as the engine does.

The pack's process never returns (the constructor of PolicyPack serves for ever), so it is a child that is ended.
Calls and fields as in proto/pulumi/analyzer.proto and sdk/go/common/resource/plugin/analyzer_plugin.go (pulumi v3.272.0).
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from inference_rollouts.predicates import UNKNOWN, Resource
from tests.conftest import ROOT

FOLDER = ROOT / "policies"
UNKNOWN_ON_THE_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine sends for a string that is not known yet."""


@functools.cache
def pack_python() -> Path | None:
    """A Python that has pulumi-policy: POLICY_PYTHON, or the environment that policies/README.md makes."""
    named = os.environ.get("POLICY_PYTHON")
    for candidate in [Path(named)] if named else [FOLDER / "venv/bin/python"]:
        ask = [str(candidate), "-c", "import pulumi_policy"]
        if candidate.exists() and subprocess.run(ask, capture_output=True, check=False).returncode == 0:
            return candidate
    return None


@dataclass(frozen=True)
class Diagnostic:
    """One thing that a policy says."""

    policy: str
    message: str
    urn: str
    mandatory: bool


class Pack:
    """The running pack."""

    def __init__(self, python: Path) -> None:
        environment = {**os.environ, "PULUMI_CONFIG": "{}", "PULUMI_PROJECT": "p", "PULUMI_STACK": "s", "PULUMI_DRY_RUN": "true"}
        command = [str(python), "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(FOLDER)]
        self._child = subprocess.Popen(
            command, cwd=FOLDER, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        out, errors = self._child.stdout, self._child.stderr
        assert out is not None, "it is a pipe"
        assert errors is not None, "it is a pipe"
        if not (port := out.readline().strip()):
            raise RuntimeError(f"the pack did not start:\n{errors.read()}")
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._stub: Any = analyzer_pb2_grpc.AnalyzerStub(self._channel)

    def close(self) -> None:
        self._channel.close()
        self._child.kill()
        self._child.communicate()

    def info(self) -> Any:
        return self._stub.GetAnalyzerInfo(empty_pb2.Empty())

    def configure(self, name: str, *, mandatory: bool = True, **properties: Any) -> None:
        """What `--policy-pack-config` says of one policy."""
        level = analyzer_pb2.MANDATORY if mandatory else analyzer_pb2.ADVISORY
        config = analyzer_pb2.PolicyConfig(enforcementLevel=level, properties=_struct(properties))
        self._stub.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig={name: config}))

    def analyze(self, resource: Resource) -> list[Diagnostic]:
        """As at each registration, with its inputs."""
        return _diagnostics(self._stub.Analyze(analyzer_pb2.AnalyzeRequest(**_fields(resource))))

    def analyze_stack(self, resources: Iterable[Resource]) -> list[Diagnostic]:
        """As at the end of a preview or update, with what the resources' inputs are here as their outputs."""
        sent = [analyzer_pb2.AnalyzerResource(parent=r.parent, **_fields(r)) for r in resources]
        return _diagnostics(self._stub.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=sent)))


def _fields(resource: Resource) -> dict[str, Any]:
    options = analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect, parent=resource.parent)
    name = resource.urn.rpartition("::")[2]
    return {"type": resource.type, "properties": _struct(resource.inputs), "urn": resource.urn, "name": name, "options": options}


def _struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(_on_the_wire(values), struct_pb2.Struct())


def _on_the_wire(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _on_the_wire(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_on_the_wire(inner) for inner in value]
    return UNKNOWN_ON_THE_WIRE if value is UNKNOWN else value


def _diagnostics(response: Any) -> list[Diagnostic]:
    return [
        Diagnostic(d.policyName, d.message, d.urn, d.enforcementLevel == analyzer_pb2.MANDATORY) for d in response.diagnostics
    ]
