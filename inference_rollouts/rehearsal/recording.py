"""What is recorded of a program: its registrations with all their options, and its hooks, which can still be called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

from inference_rollouts.record import whole

STACK_TYPE = "pulumi:pulumi:Stack"
HOOK_TIMEOUT = 120
"""Seconds that a hook may take; ours are pure and take none, but for one that asks a cluster in the sandbox."""

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


def registration_of(urn: str, request: Any) -> Registration:
    """A request to the monitor as what was registered."""
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


def _own(urn: str) -> str:
    """The URN; empty for that of the stack."""
    return "" if STACK_TYPE in urn.split("::")[2:3] else urn
