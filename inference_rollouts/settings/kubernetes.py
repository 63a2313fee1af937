"""Parts of Kubernetes objects that are written into the stack file as the APIs have them, so that a typo is found here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from inference_rollouts.settings.base import Settings
from inference_rollouts.settings.types import DnsLabel, Hostname, Maps, ObjectName, Quantity, Text, Written, wrong

ACCELERATOR_RESOURCES = ("nvidia.com/gpu", "google.com/tpu")


class PathMatch(Settings):
    """HTTPPathMatch."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    """How `value` is compared."""
    value: Text = "/"
    """The path."""


class NamedMatch(Settings):
    """HTTPHeaderMatch or HTTPQueryParamMatch."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    """How `value` is compared."""
    name: Text
    """Name of the header or of the query parameter."""
    value: Text
    """Its value."""


NamedMatches = Annotated[tuple[NamedMatch, ...], Field(strict=False)]


class RouteMatch(Settings):
    """HTTPRouteMatch: all of it must match."""

    path: PathMatch = Field(default_factory=PathMatch)
    """The path; default: every path."""
    headers: NamedMatches = ()
    """Request headers."""
    query_params: NamedMatches = ()
    """Query parameters."""
    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] | None = None
    """HTTP method."""


class ParentRef(Settings):
    """ParentReference: what a route attaches to."""

    group: str = "gateway.networking.k8s.io"
    """API group."""
    kind: Text = "Gateway"
    """Kind."""
    namespace: DnsLabel | None = None
    """Namespace; default: the route's."""
    name: ObjectName
    """Name."""
    section_name: ObjectName | None = None
    """Name of a listener."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of a listener."""


class Listener(Settings):
    """Listener of a Gateway."""

    name: ObjectName
    """Name, unique in the Gateway."""
    hostname: Hostname | None = None
    """Hostname; default: all."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Port."""
    protocol: Literal["HTTP", "HTTPS", "TLS", "TCP", "UDP"]
    """Protocol."""
    tls: dict[str, Any] | None = None
    """Certificates."""
    allowed_routes: dict[str, Any] | None = None
    """Which routes may attach; default: those of the Gateway's namespace."""


class Resources(Settings):
    """ResourceRequirements of a container."""

    requests: dict[str, Quantity] = Field(default_factory=dict)
    """What the container is sure to get."""
    limits: dict[str, Quantity] = Field(default_factory=dict)
    """What it may not exceed."""
    claims: Maps = ()
    """Names of the pod's resource claims."""

    @model_validator(mode="after")
    def _whole_accelerators(self) -> Resources:
        for amounts in (self.limits, self.requests):
            for resource in ACCELERATOR_RESOURCES:
                if resource in amounts and not str(amounts[resource]).isdigit():
                    raise wrong(f"{resource} is {amounts[resource]}; accelerators come whole, as 1")
        return self


Matches = Annotated[tuple[Annotated[dict[str, Any], Written(RouteMatch)], ...], Field(strict=False)]
ParentRefs = Annotated[tuple[Annotated[dict[str, Any], Written(ParentRef)], ...], Field(strict=False)]
Listeners = Annotated[tuple[Annotated[dict[str, Any], Written(Listener)], ...], Field(strict=False)]
ContainerResources = Annotated[dict[str, Any], Written(Resources)]
