"""How it is seen that a part is ready. A check asks once, in at most a second, and never raises."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

SECONDS = 1.0


class Check(Protocol):
    """One way to ask."""

    async def passes(self) -> bool:
        """Whether the part is ready now."""
        ...


@dataclass(frozen=True)
class Runs:
    """Ready as soon as it runs."""

    async def passes(self) -> bool:
        """Always."""
        return True


@dataclass(frozen=True)
class File:
    """Ready when it has written a file."""

    path: Path

    async def passes(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()


@dataclass(frozen=True)
class Http:
    """Ready when a URL answers 200.

    Attributes:
        url: http or https, of an address of the sandbox.
        authority: file of the certificate authority, for https; None takes any certificate.
    """

    url: str
    authority: Path | None = None

    async def passes(self) -> bool:
        """Whether it does."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._status() == 200
        except (OSError, ValueError, IndexError, TimeoutError):
            return False

    async def _status(self) -> int:
        url = urlsplit(self.url)
        tls = _trust(self.authority) if url.scheme == "https" else None
        reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=tls)
        try:
            writer.write(f"GET {url.path or '/'} HTTP/1.0\r\nHost: {url.netloc}\r\n\r\n".encode())
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()


@cache
def _trust(authority: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
