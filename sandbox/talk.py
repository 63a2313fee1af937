"""How `rollout sandbox` and the supervisor talk: one request and one answer, each a line of JSON, over a unix socket.

Request: `{"do": VERB, "part": NAME, ...}`. Answer: `{"ok": ...}` or `{"refused": SENTENCE}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from sandbox.home import Home, SandboxError

SECONDS = 150.0
"""How long an answer may take: a part may take two minutes to get ready."""

Answers = Callable[[dict[str, Any]], Awaitable[Any]]


@contextlib.contextmanager
def _address(home: Home) -> Iterator[str]:
    """The socket's path by way of the open folder: a socket's path may be no longer than 107 bytes, a home's may."""
    folder = os.open(home.run, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{home.socket.name}"
    finally:
        os.close(folder)


def ask(home: Home, do: str, **details: Any) -> Any:
    """Ask the supervisor.

    Raises:
        SandboxError: it says no, or does not answer.
    """
    home.running()
    try:
        with _address(home) as address, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(SECONDS)
            line.connect(address)
            line.sendall(json.dumps({"do": do} | details).encode() + b"\n")
            with line.makefile("r", encoding="utf-8") as answers:
                answer = json.loads(answers.readline() or "{}")
    except (OSError, ValueError) as e:
        raise SandboxError(
            f"the sandbox's supervisor does not answer ({e}); see rollout sandbox logs supervisor, or: rollout sandbox down"
        ) from e
    if "ok" not in answer:
        raise SandboxError(answer.get("refused") or "the sandbox's supervisor ended before it answered")
    return answer["ok"]


async def listen(home: Home, answers: Answers) -> asyncio.Server:
    """Answer what is asked, until the server is closed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(json.dumps(await _answer(await reader.readline(), answers)).encode() + b"\n")
            await writer.drain()
            writer.close()

    with _address(home) as address:
        return await asyncio.start_unix_server(serve, address)


async def _answer(line: bytes, answers: Answers) -> dict[str, Any]:
    try:
        return {"ok": await answers(json.loads(line))}
    except SandboxError as e:
        return {"refused": str(e)}
    except (ValueError, KeyError, TypeError) as e:
        return {"refused": f"the supervisor did not understand: {e!r}"}
