"""The agent's door for faults: a unix socket in HOME/run that takes one JSON document and answers with one.

`faults` is the other side. Requests are {"do": NAME, …}; answers {"hit": [names]} or {"error": sentence}.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

LONGEST_REQUEST = 1 << 16
Handler = Callable[[Mapping[str, Any]], Awaitable[list[str]]]


def socket_path(home: Path) -> Path:
    """Where the agent of a sandbox listens."""
    return home / "run" / "node-agent.sock"


async def serve(home: Path, handle: Handler) -> asyncio.Server:
    """Answer requests; what `handle` raises is told to the one who asked."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            answer: dict[str, Any] = {"hit": await handle(request)}
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    path = socket_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(talk, _short(path), limit=LONGEST_REQUEST)
    path.chmod(0o600)
    return server


def _short(path: Path) -> str:
    """The path, from the current folder where that is shorter: a socket's name holds 107 bytes."""
    return min(str(path), os.path.relpath(path), key=len)
