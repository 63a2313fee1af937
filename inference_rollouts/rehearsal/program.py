"""Runs a Pulumi program under mocks, and records every registration with all its options.

Owns how a program is run and what is recorded of it; what the engine would make of a recording stands in `engine`.
"""

from __future__ import annotations

import asyncio
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
from inference_rollouts.settings import PROJECT

STACK_TYPE = "pulumi:pulumi:Stack"
HOOK_TIMEOUT = 30
"""Seconds that a hook may take; ours are pure and take none."""

MODELLED = {
    "type",
    "name",
    "parent",
    "custom",
    "object",
    "protect",
    "dependencies",
    "propertyDependencies",
    "provider",
    "ignoreChanges",
    "hooks",
}
"""Fields of a registration that the rehearsal has rules for."""

WITHOUT_CONSEQUENCE = {
    *("acceptSecrets", "acceptResources", "supportsPartialValues", "supportsResultReporting", "accepts_byte_string"),
    *("version", "pluginDownloadURL", "pluginChecksums", "packageRef", "providers"),
    *("sourcePosition", "stackTrace", "parentStackTraceHandle", "snippetId"),
    *("customTimeouts", "hideDiffs", "additionalSecretOutputs", "aliasSpecs"),
}
"""Fields that decide no operation of a preview: what the SDK can do, which plugin to load, where the code stands, time and
display."""


@dataclass(frozen=True)
class Registration:
    """One resource as the program registered it.

    Attributes:
        urn: as the engine would build it: the whole chain of parents.
        parent: URN of the parent; empty for the stack itself.
        dependencies: URNs of `depends_on` and of inputs that come from other resources.
        property_dependencies: those of them that an input comes from.
        provider: URN of the explicit provider; empty for the default one.
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
    dependencies: tuple[str, ...] = ()
    property_dependencies: tuple[str, ...] = ()
    provider: str = ""
    ignore_changes: tuple[str, ...] = ()
    before_update: tuple[str, ...] = ()
    unmodelled: tuple[str, ...] = ()


@dataclass
class Recording:
    """What one run of a program registered.

    Attributes:
        resources: by URN.
        hooks: by name, as they were registered.
        outputs: what each component gave out, by URN.
        exports: what the stack gives out, as the program exported it.
        twice: URNs and hook names that were registered more than once.
    """

    resources: dict[str, Registration] = field(default_factory=dict)
    hooks: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    exports: dict[str, Any] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)

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


def record(
    program: Callable[[], None],
    stack: str,
    config: Mapping[str, Any],
    at_the_end: Callable[[Recording], None] = lambda _: None,
    *,
    preview: bool = True,
) -> Recording:
    """One run of a program.

    Args:
        program: what `__main__.py` does.
        stack: the stack's name.
        config: full keys (`inference-rollouts:services`) to values.
        at_the_end: called when everything is registered; the only place where hooks can be called.
        preview: as in `pulumi preview`, where computed outputs are unknown; else as in `pulumi up`.

    Raises:
        pulumi.RunError: when the program refuses its config.
    """

    def inside() -> Recording:
        monitor = _Recorder(at_the_end)
        quiet = logging.getLogger(__name__)
        pulumi.runtime.set_all_config({key: _text(value) for key, value in config.items()})
        pulumi.runtime.set_mocks(
            _Cloud(), project=PROJECT, stack=stack, preview=preview, monitor=monitor, logger=quiet, organization="organization"
        )
        pulumi.runtime.test(program)()
        # Mocks register the stack's outputs before the program runs: what it exports is found here only.
        monitor.recording.exports = dict(getattr(pulumi.runtime.get_root_resource(), "outputs", {}))
        return monitor.recording

    # In a context of its own, or the second run would keep the first one's stack as the parent of all.
    with _event_loop():
        return contextvars.copy_context().run(inside)


@contextlib.contextmanager
def _event_loop() -> Iterator[None]:
    """A loop for one run: the SDK's own would stay open, and Python complain about that on stderr when it ends."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def run(
    project: Path,
    stack: str,
    config: Mapping[str, Any],
    at_the_end: Callable[[Recording], None] = lambda _: None,
    *,
    preview: bool = True,
) -> Recording:
    """One run of the project's real `__main__.py`; else as `record`.

    Args:
        project: the folder with Pulumi.yaml and `__main__.py`.
        stack, config, at_the_end, preview: see `record`.
    """

    def program() -> None:
        runpy.run_path(str(project / "__main__.py"), run_name="__main__")

    with _importable(project):
        return record(program, stack, config, at_the_end, preview=preview)


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
        """The engine's rule (sdk/go/common/resource/urn): all parents' types, but for the stack's."""
        qualified = parent.split("::")[2] if parent else ""
        return super().make_urn("", f"{qualified}${type_}" if qualified not in ("", STACK_TYPE) else type_, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        response = super().RegisterResource(request)
        if request.type != STACK_TYPE:
            if response.urn in self.recording.resources:
                self.recording.twice.append(response.urn)
            self.recording.resources[response.urn] = _registration(response.urn, request)
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        self.recording.outputs[request.urn] = whole(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        if request.name in self.recording.hooks:
            self.recording.twice.append(request.name)
        self.recording.hooks[request.name] = request
        return super().RegisterResourceHook(request)

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        self.at_the_end(self.recording)
        return super().SignalAndWaitForShutdown(request)


def _own(urn: str) -> str:
    """The URN; empty for that of the stack."""
    return "" if STACK_TYPE in urn.split("::")[2:3] else urn


def _registration(urn: str, request: Any) -> Registration:
    by_property = {urn for names in request.propertyDependencies.values() for urn in names.urns}
    return Registration(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=_own(request.parent),
        inputs=whole(json_format.MessageToDict(request.object)),
        protect=request.protect,
        dependencies=tuple(sorted({*request.dependencies, *by_property})),
        property_dependencies=tuple(sorted(by_property)),
        provider=request.provider.rpartition("::")[0],
        ignore_changes=tuple(request.ignoreChanges),
        before_update=tuple(request.hooks.before_update),
        unmodelled=tuple(_unmodelled(request)),
    )


def _unmodelled(request: Any) -> Iterator[str]:
    """Whatever is set and is neither modelled nor without consequence, so also what a later SDK adds."""
    for option, _ in request.ListFields():
        if option.name not in MODELLED | WITHOUT_CONSEQUENCE:
            yield option.name
    for option, _ in request.hooks.ListFields():
        if option.name != "before_update":
            yield f"hooks.{option.name}"
