"""The monitor that a program under mocks talks to: it sees every request whole, and answers as an empty cloud would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from pulumi.runtime import mocks

from inference_rollouts.record import whole
from inference_rollouts.rehearsal.recording import STACK_TYPE, Recording, registration_of


class Cloud(mocks.Mocks):
    """Echoes inputs, and knows one cluster with every kind of endpoint."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Every resource comes out as it went in."""
        return args.resource_id or f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The one cluster, whatever is looked up."""
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


class Recorder(mocks.MockMonitor):
    """A monitor that sees the whole request, and asks `at_the_end` while hooks can still be called."""

    def __init__(self, at_the_end: Callable[[Recording], None], cloud: Cloud) -> None:
        super().__init__(cloud)
        self.recording = Recording()
        self.at_the_end = at_the_end

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The engine's rule (sdk/go/common/resource/urn): all parents' types, but for the stack's."""
        qualified = parent.split("::")[2] if parent else ""
        return super().make_urn("", f"{qualified}${type_}" if qualified not in ("", STACK_TYPE) else type_, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        """Note the resource. Never raises: the SDK would log hundreds of lines; a refusal comes at the end."""
        response = super().RegisterResource(request)
        if request.type != STACK_TYPE:
            if response.urn in self.recording.resources:
                self.recording.twice.append(response.urn)
            self.recording.resources[response.urn] = registration_of(response.urn, request)
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        """Note what a component gives out."""
        self.recording.outputs[request.urn] = whole(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        """Note the hook, with the address at which it can be called."""
        if request.name in self.recording.hooks:
            self.recording.twice.append(request.name)
        self.recording.hooks[request.name] = request
        return super().RegisterResourceHook(request)

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802 (the SDK's name)
        """Everything is registered, and the program still there to answer: its callback server ends after this."""
        self.at_the_end(self.recording)
        return super().SignalAndWaitForShutdown(request)
