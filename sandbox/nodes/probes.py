"""Probes as a kubelet makes them: HTTP, TCP and gRPC health. An exec probe counts as passed: there is no image to run it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["http", "tcp", "grpc", "exec"]

GRPC_CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""A HealthCheckResponse with status SERVING: field 1, value 1."""


@dataclass(frozen=True)
class Probe:
    """One probe of a container; defaults as the API server sets them.

    Attributes:
        port: the container's port; 0 for exec.
        target: path of an HTTP probe, service of a gRPC one.
    """

    kind: Kind
    port: int
    target: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success: int = 1
    failure: int = 3

    async def passes(self, ip: str) -> bool:
        """One attempt."""
        try:
            async with asyncio.timeout(self.timeout):
                if self.kind == "http":
                    return 200 <= await _http_status(ip, self.port, self.target, self.headers) < 400
                if self.kind == "grpc":
                    return await _grpc_serving(ip, self.port, self.target)
                if self.kind == "tcp":
                    (await asyncio.open_connection(ip, self.port))[1].close()
                return True
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            return False


def probe_of(container: Mapping[str, Any], name: str) -> Probe | None:
    """A container's `startupProbe`, `readinessProbe` or `livenessProbe`; None where it has none."""
    given = container.get(name)
    if not given:
        return None
    times = {
        "initial_delay": float(given.get("initialDelaySeconds") or 0),
        "period": float(given.get("periodSeconds") or 10),
        "timeout": float(given.get("timeoutSeconds") or 1),
        "success": int(given.get("successThreshold") or 1),
        "failure": int(given.get("failureThreshold") or 3),
    }
    if http := given.get("httpGet"):
        headers = tuple((h["name"], h["value"]) for h in http.get("httpHeaders") or ())
        return Probe("http", _port(container, http["port"]), http.get("path") or "/", headers, **times)
    if grpc := given.get("grpc"):
        return Probe("grpc", int(grpc["port"]), grpc.get("service") or "", **times)
    if tcp := given.get("tcpSocket"):
        return Probe("tcp", _port(container, tcp["port"]), **times)
    return Probe("exec", 0, **times)


def _port(container: Mapping[str, Any], port: int | str) -> int:
    if isinstance(port, int) or port.isdigit():
        return int(port)
    return next((int(p["containerPort"]) for p in container.get("ports") or () if p.get("name") == port), 0)


async def _http_status(ip: str, port: int, path: str, headers: tuple[tuple[str, str], ...]) -> int:
    reader, writer = await asyncio.open_connection(ip, port)
    try:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers)
        agent = "kube-probe/1.36"
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {ip}:{port}\r\nUser-Agent: {agent}\r\nConnection: close\r\n{more}\r\n".encode()
        )
        line = await reader.readuntil(b"\n")
        return int(line.split()[1])
    except IndexError as e:
        raise ValueError("no HTTP answer") from e
    finally:
        writer.close()


async def _grpc_serving(ip: str, port: int, service: str) -> bool:
    import grpc

    name = service.encode()
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    # A channel of its own each time: one that is kept waits longer and longer before it connects again.
    async with grpc.aio.insecure_channel(f"{ip}:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            return await channel.unary_unary(GRPC_CHECK)(request) == SERVING
        except grpc.aio.AioRpcError:
            return False
