"""Which routes attach to which Gateways, and under which hostnames (Gateway API, HTTPRoute.spec.parentRefs)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.gateway.kinds import CONTROLLER, GATEWAY, GATEWAY_API, GATEWAY_CLASS, NAMESPACE
from sandbox.gateway.objects import Manifest, Objects, key_of

ANY = "*"
"""Every hostname."""


@dataclass(frozen=True)
class Attachment:
    """One parentRef of a route that names a Gateway of ours.

    Attributes:
        ref: the parentRef as the route has it.
        listeners: names of the listeners that took it; empty where it was not accepted.
        hostnames: under which it serves.
        reason, message: of the condition Accepted.
    """

    ref: Manifest
    listeners: tuple[str, ...]
    hostnames: tuple[str, ...]
    reason: str
    message: str

    @property
    def accepted(self) -> bool:
        """Whether at least one listener took the route."""
        return bool(self.listeners)


def gateways(objects: Objects) -> Iterator[Manifest]:
    """The Gateways whose class is ours."""
    classes = {key_of(c)[1] for c in objects.all(GATEWAY_CLASS) if c["spec"].get("controllerName") == CONTROLLER}
    return (gateway for gateway in objects.all(GATEWAY) if gateway["spec"]["gatewayClassName"] in classes)


def attachments(objects: Objects, route: Manifest) -> list[Attachment]:
    """One for each parentRef that names a Gateway of ours."""
    ours = {key_of(gateway): gateway for gateway in gateways(objects)}
    namespace, _ = key_of(route)
    found = []
    for ref in route["spec"].get("parentRefs") or ():
        gateway = ours.get((ref.get("namespace") or namespace, ref["name"]))
        if gateway and ref.get("kind", "Gateway") == "Gateway" and ref.get("group", GATEWAY_API) == GATEWAY_API:
            found.append(_attachment(objects, gateway, route, ref))
    return found


def _attachment(objects: Objects, gateway: Manifest, route: Manifest, ref: Manifest) -> Attachment:
    named = [listener for listener in gateway["spec"].get("listeners") or () if _is_named(listener, ref)]
    if not named:
        return Attachment(ref, (), (), "NoMatchingParent", "the Gateway has no listener of that name and port")
    allowed = [listener for listener in named if _allows(objects, gateway, listener, route)]
    if not allowed:
        return Attachment(ref, (), (), "NotAllowedByListeners", "no listener allows HTTPRoutes of this namespace")
    wanted = route["spec"].get("hostnames") or ()
    hostnames = {str(listener["name"]): _common(listener.get("hostname"), wanted) for listener in allowed}
    taken = {name: names for name, names in hostnames.items() if names}
    if not taken:
        return Attachment(ref, (), (), "NoMatchingListenerHostname", "no listener has one of the route's hostnames")
    every = tuple(sorted({hostname for names in taken.values() for hostname in names}))
    return Attachment(ref, tuple(taken), every, "Accepted", "the route is served by its Gateway")


def _is_named(listener: Manifest, ref: Manifest) -> bool:
    return ref.get("sectionName") in (None, listener["name"]) and ref.get("port") in (None, listener["port"])


def _allows(objects: Objects, gateway: Manifest, listener: Manifest, route: Manifest) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    kinds = {kind.get("kind") for kind in allowed.get("kinds") or ({"kind": "HTTPRoute"},)}
    if "HTTPRoute" not in kinds or listener.get("protocol") not in ("HTTP", "HTTPS"):
        return False
    namespaces = allowed.get("namespaces") or {}
    own, _ = key_of(route)
    match namespaces.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            labels = ((objects.get(NAMESPACE, "", own) or {}).get("metadata") or {}).get("labels") or {}
            return selects(namespaces.get("selector") or {}, labels)
        case "Same":
            return own == key_of(gateway)[0]
    return False


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(e, labels) for e in selector.get("matchExpressions") or ())


def _expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _common(listener: str | None, wanted: Iterable[str]) -> tuple[str, ...]:
    """The hostnames that a listener and a route have in common, each in its narrower form."""
    wanted = tuple(wanted)
    if not listener:
        return wanted or (ANY,)
    if not wanted:
        return (listener,)
    pairs = ((host, listener) if covers(listener, host) else (listener, host) for host in wanted)
    return tuple(narrow for narrow, wide in pairs if covers(wide, narrow))


def covers(wide: str, narrow: str) -> bool:
    """Whether every hostname under `narrow` is under `wide`; `*.example.com` covers all its subdomains."""
    if wide in (ANY, narrow):
        return True
    return wide.startswith("*.") and narrow.removeprefix("*").endswith(wide[1:])
