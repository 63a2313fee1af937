"""A small server that answers like a model server, or misbehaves in a way that a test names."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

Behaviour = str
"""What becomes of a request: "good", or one of the ways in `Server._answer`."""

POD_1, POD_2 = "llm-6d5f7c8b9-x2x4z", "llm-new-7b8c9d5f6-bcdfg"


class Server:
    """Listens on a free loopback port for as long as its `with` lasts.

    Attributes:
        behaviour: number of a request → what becomes of it; a test may change it at any time.
        pod: number of a request → the pod that says it has served it.
        asked: bodies that came, in their order.
        event_gap: seconds between the events of a stream.
        delay: number of a request → seconds until it is answered.
    """

    def __init__(self, behaviour: Callable[[int], Behaviour] = lambda number: "good") -> None:
        self.behaviour = behaviour
        self.pod: Callable[[int], str] = lambda number: POD_1
        self.asked: list[dict[str, object]] = []
        self.event_gap = 0.0
        self.delay: Callable[[int], float] = lambda number: 0.0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop).result(5)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                self.asked.append(body)
                await asyncio.sleep(self.delay(int(fields["x-load-request"])))
                await self._answer(writer, int(fields["x-load-request"]), body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, number: int, body: dict[str, object]) -> None:
        match how := self.behaviour(number):
            case "close":
                raise ConnectionError
            case "reset":
                _reset(writer)
                raise ConnectionError
            case "slow":
                await asyncio.sleep(60)
            case "500":
                writer.write(_head(500, POD_1, "text/plain", "Content-Length: 5") + b"boom\n")
            case _ if body.get("stream"):
                await self._stream(writer, number, str(body["model"]), how)
            case _:
                self._whole(writer, number, str(body["model"]), how)
        await writer.drain()

    def _whole(self, writer: asyncio.StreamWriter, number: int, model: str, how: Behaviour) -> None:
        text = _event(model, how, last=True)
        if how == "bad json":
            text = b"}{" + text
        fields = f"Content-Length: {len(text)}"
        if how == "cut without length":
            fields, text = "Connection: close", text[: len(text) // 2]
        head = _head(200, self._pod(number, how), "application/json", fields)
        if how in ("cut", "reset in body"):
            text = text[: len(text) // 2]
        writer.write(head + text)
        self._break_off(writer, how)

    async def _stream(self, writer: asyncio.StreamWriter, number: int, model: str, how: Behaviour) -> None:
        writer.write(_head(200, self._pod(number, how), "text/event-stream", "Transfer-Encoding: chunked"))
        for i in range(4):
            writer.write(_chunk(b"data: " + _event(model, how, last=i == 3) + b"\n\n"))
            await writer.drain()
            await asyncio.sleep(self.event_gap)
            if i == 1:
                self._break_off(writer, how)
        if how != "no done":
            writer.write(_chunk(b"data: [DONE]\n\n"))
        writer.write(b"0\r\n\r\n")

    def _pod(self, number: int, how: Behaviour) -> str:
        return {"other version": POD_2, "unknown pod": "nobody-knows", "no pod": ""}.get(how, self.pod(number))

    def _break_off(self, writer: asyncio.StreamWriter, how: Behaviour) -> None:
        if how == "reset in body":
            _reset(writer)
        if how in ("cut", "cut without length", "reset in body"):
            raise ConnectionError


def _head(status: int, pod: str, kind: str, fields: str) -> bytes:
    told = f"X-Inference-Pod: {pod}\r\n" if pod else ""
    return f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\n{told}{fields}\r\n\r\n".encode()


def _event(model: str, how: Behaviour, *, last: bool) -> bytes:
    reason = {"aborted": "abort", "no reason": None}.get(how, "length") if last else None
    if how == "error":
        return b'{"error": {"message": "out of memory"}}'
    named = "another" if how == "other model" else model
    return json.dumps({"model": named, "choices": [{"index": 0, "finish_reason": reason, "text": "word "}]}).encode()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST instead of a FIN: to linger for 0 seconds."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
