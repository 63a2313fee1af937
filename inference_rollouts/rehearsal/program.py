"""Runs the project's real `__main__.py` under Pulumi mocks and records every registration with all its options."""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pulumi
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

from inference_rollouts.record import whole

STACK_TYPE = "pulumi:pulumi:Stack"
HOOK_TIMEOUT = 30
"""Seconds that a hook may take; ours are pure and take none."""


@dataclass(frozen=True)
class Registration:
    """One resource as the program registered it.

    Attributes:
        urn: as the engine would build it: the whole chain of parents.
        dependencies: URNs of `depends_on` and of inputs that come from other resources.
        before_update: names of the hooks that the engine calls before an update.
        unmodelled: options that the rehearsal has no rule for.
    """

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    inputs: Mapping[str, Any]
    protect: bool
    dependencies: tuple[str, ...]
    provider: str
    ignore_changes: tuple[str, ...]
    before_update: tuple[str, ...]
    unmodelled: tuple[str, ...]


@dataclass
class Recording:
    """What one run of the program registered: resources by URN, hooks by name, and the stack's outputs."""

    resources: dict[str, Registration] = field(default_factory=dict)
    hooks: dict[str, Any] = field(default_factory=dict)

    def call_hook(self, hook: str, registration: Registration, old_inputs: Mapping[str, Any]) -> str:
        """The hook's error text, by its real gRPC callback, as the engine calls it; empty for consent.

        Only while the program still runs: its callback server ends with it.
        """
        found = self.hooks[hook]
        request = resource_pb2.ResourceHookRequest(
            urn=registration.urn, id="id", name=registration.name, type=registration.type,
            new_inputs=_struct(registration.inputs), old_inputs=_struct(old_inputs),
        )  # fmt: skip
        invoke = callback_pb2.CallbackInvokeRequest(token=found.callback.token, request=request.SerializeToString())
        with grpc.insecure_channel(found.callback.target) as channel:
            answer = callback_pb2_grpc.CallbacksStub(channel).Invoke(invoke, timeout=HOOK_TIMEOUT)
        return resource_pb2.ResourceHookResponse.FromString(answer.response).error


def _struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(values), struct_pb2.Struct())


class _Cloud(mocks.Mocks):
    """Echoes inputs, and knows one cluster with every kind of endpoint."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return args.resource_id or f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        name = args.args.get("name", "cluster")
        dns = {"endpoint": "rehearsal.invalid", "allowExternalTraffic": True}
        membership = f"//gkehub.googleapis.com/projects/rehearsal/locations/global/memberships/{name}"
        return {
            "name": name,
            "endpoint": "203.0.113.1",
            "masterAuths": [{"clusterCaCertificate": "cmVoZWFyc2Fs"}],
            "controlPlaneEndpointsConfigs": [{"dnsEndpointConfigs": [dns], "ipEndpointsConfigs": []}],
            "privateClusterConfigs": [{"privateEndpoint": "10.0.0.2"}],
            "fleets": [{"membership": membership}],
        }


class _Recorder(mocks.MockMonitor):
    """A monitor that sees the whole request, and asks `at_the_end` while hooks can still be called."""

    def __init__(self, at_the_end: Callable[[Recording], None]) -> None:
        super().__init__(_Cloud())
        self.recording = Recording()
        self.at_the_end = at_the_end

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        qualified = parent.split("::")[2] if parent else ""
        return super().make_urn("", f"{qualified}${type_}" if qualified not in ("", STACK_TYPE) else type_, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        response = super().RegisterResource(request)
        if request.type != STACK_TYPE:
            self.recording.resources[response.urn] = _registration(response.urn, request)
        return response

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        self.recording.hooks[request.name] = request
        return super().RegisterResourceHook(request)

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        self.at_the_end(self.recording)
        return super().SignalAndWaitForShutdown(request)


def _registration(urn: str, request: Any) -> Registration:
    unmodelled = {
        "aliases": list(request.aliases) + list(request.aliasURNs),
        "import": request.importId,
        "replaceOnChanges": list(request.replaceOnChanges),
        "retainOnDelete": request.retainOnDelete,
        "deletedWith": request.deletedWith,
    }
    return Registration(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent if STACK_TYPE not in request.parent.split("::")[2:3] else "",
        inputs=whole(json_format.MessageToDict(request.object)),
        protect=request.protect,
        dependencies=tuple(sorted({*request.dependencies, *(u for p in request.propertyDependencies.values() for u in p.urns)})),
        provider=request.provider.rpartition("::")[0],
        ignore_changes=tuple(request.ignoreChanges),
        before_update=tuple(request.hooks.before_update),
        unmodelled=tuple(name for name, value in unmodelled.items() if value),
    )


def run(
    project: Path,
    stack: str,
    config: Mapping[str, Any],
    at_the_end: Callable[[Recording], None] = lambda _: None,
    *,
    preview: bool = True,
) -> Recording:
    """One run of the program.

    Args:
        project: the folder with Pulumi.yaml and `__main__.py`.
        stack: the stack's name.
        config: full keys (`inference-rollouts:services`) to values.
        at_the_end: called when everything is registered; the only place where hooks can be called.
        preview: as in `pulumi preview`, where computed outputs are unknown; else as in `pulumi up`.

    Raises:
        pulumi.RunError: when the program refuses its config.
    """

    def inside() -> Recording:
        monitor = _Recorder(at_the_end)
        pulumi.runtime.set_all_config({key: _text(value) for key, value in config.items()})
        quiet = logging.getLogger("inference_rollouts.rehearsal.program")
        pulumi.runtime.set_mocks(
            _Cloud(),
            project="inference-rollouts",
            stack=stack,
            preview=preview,
            monitor=monitor,
            logger=quiet,
            organization="organization",
        )
        pulumi.runtime.test(lambda: runpy.run_path(str(project / "__main__.py"), run_name="__main__") and None)()
        return monitor.recording

    with _importable(project):
        return contextvars.copy_context().run(inside)


def _text(value: Any) -> str:
    """A config value as the engine passes it: objects as JSON text, scalars as text."""
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)


@contextlib.contextmanager
def _importable(project: Path) -> Iterator[None]:
    sys.path.insert(0, str(project))
    try:
        yield
    finally:
        sys.path.remove(str(project))
