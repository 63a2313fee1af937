"""Where test requests are sent: the address and listener of a Gateway, or a URL that the operator gives. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from inference_rollouts.errors import one_of

PORTS = {"http": 80, "https": 443}


class NoDoor(Exception):
    """There is nowhere to send to. The text says what is seen there, and the advice what to do."""

    def __init__(self, seen: str, advice: str) -> None:
        super().__init__(seen)
        self.advice = advice


@dataclass(frozen=True)
class Door:
    """Where to connect, and which name to ask for.

    Attributes:
        scheme: http or https.
        host, port: where to connect.
        name: for the Host header, and what the certificate must be for; empty for the host itself.
        base: a path in front of all paths.
        at: what is behind it, for messages.
        gateways: whether it is the Gateway's own address, so that the route's rules decide who answers.
    """

    scheme: str
    host: str
    port: int
    name: str = ""
    base: str = ""
    at: str = ""
    gateways: bool = True

    @property
    def url(self) -> str:
        """As a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.base}"


def by_gateway(gateway: Mapping[str, Any], ref: Mapping[str, Any], hostnames: Sequence[str], at: str) -> Door:
    """The first address of a Gateway, and the listener that the route's requests come through; HTTPS where there is one.

    Args:
        gateway: the live Gateway.
        ref: the route's parentRef.
        hostnames: of the route; empty for the listener's.
        at: the Gateway's place.

    Raises:
        NoDoor: when it has no address yet, or no such listener.
    """
    url = "wait until it is programmed, or give --url"
    addresses = [a["value"] for a in (gateway.get("status") or {}).get("addresses") or () if a.get("value")]
    if not addresses:
        raise NoDoor(f"no address{_programmed(gateway)}", url)
    listeners = (gateway.get("spec") or {}).get("listeners") or ()
    fitting = [(listener, name) for listener in listeners if (name := _name(listener, ref, hostnames)) is not None]
    if not fitting:
        told = one_of(f"{one.get('name')} ({one.get('protocol')} {one.get('port')})" for one in listeners)
        raise NoDoor(
            f"no HTTP or HTTPS listener for this route among {told}", "see the route's hostnames and parentRefs, or give --url"
        )
    listener, name = min(fitting, key=lambda found: found[0]["protocol"] != "HTTPS")
    at = f"{at}, listener {listener.get('name')}"
    return Door(listener["protocol"].lower(), addresses[0], listener["port"], name, at=at)


def _programmed(gateway: Mapping[str, Any]) -> str:
    conditions = (gateway.get("status") or {}).get("conditions") or ()
    found = next((c for c in conditions if c.get("type") == "Programmed"), None)
    return f" (Programmed {found.get('status')}: {found.get('message') or found.get('reason')})" if found else ""


def _name(listener: Mapping[str, Any], ref: Mapping[str, Any], hostnames: Sequence[str]) -> str | None:
    """The name to ask for at a listener; None where the route's requests do not come through it."""
    if listener.get("protocol") not in ("HTTP", "HTTPS"):
        return None
    if ref.get("sectionName") not in (None, listener.get("name")) or ref.get("port") not in (None, listener.get("port")):
        return None
    own = str(listener.get("hostname") or "")
    names = hostnames or (own,)
    return next((found for name in names if (found := _common(name, own)) is not None), None)


def _common(name: str, own: str) -> str | None:
    """A hostname that both allow, each a name, a wildcard or nothing; None where there is none."""
    if not own or not name or name == own:
        return _concrete(name or own)
    if own.startswith("*.") and name.endswith(own[1:]):
        return _concrete(name)
    return _concrete(own) if name.startswith("*.") and own.endswith(name[1:]) else None


def _concrete(name: str) -> str:
    """A wildcard takes any first label."""
    return name.replace("*", "rollout-probe", 1)


def by_url(url: str, hostnames: Sequence[str]) -> Door:
    """A URL of the operator's. It asks for its own host where the route has that, or no hostnames; else for the route's first.

    Raises:
        ValueError: when it is no URL to send to; the text says why.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{url} is no URL to send to; write it as http://HOST:PORT or https://HOST")
    if parts.username or parts.password:
        raise ValueError("the URL holds credentials; send them by --header, as 'Authorization: @FILE'")
    if parts.query or parts.fragment:
        raise ValueError(f"{url} has more than scheme, host, port and path; leave off what begins with ? or #")
    host, port = parts.hostname, parts.port or PORTS[parts.scheme]
    own = not hostnames or any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in hostnames)
    name = "" if own and not (hostnames and is_address(host)) else _concrete(hostnames[0])
    return Door(parts.scheme, host, port, name, parts.path.rstrip("/"), at="--url", gateways=False)


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
