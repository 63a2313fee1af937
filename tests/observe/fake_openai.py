"""A gateway with model servers behind it, as far as a probe sees them: an OpenAI API that counts by pod, and can be broken."""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class Said(NamedTuple):
    """One answer; a list is sent as events, each as soon as it is said."""

    status: int
    body: Any = ""
    headers: Mapping[str, str] = {}


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


def events(*reasons: str | None, done: bool = True, text: str = "hi") -> list[str]:
    """The events of a stream, one for each finish_reason."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]} for reason in reasons]
    return [json.dumps(chunk) for chunk in chunks] + (["[DONE]"] if done else [])


@dataclass
class FakeOpenAI:
    """Serves on a loopback port, as a context manager.

    Attributes:
        names: what the servers answer to.
        pods: the pods that answer, one after the other.
        tells: whether replies name their pod.
        break_: an answer instead of the usual one, for some requests.
        tls: with one, it speaks HTTPS.
        asked: every request.
        counts: generations by pod.
    """

    names: tuple[str, ...] = ("llm",)
    pods: tuple[str, ...] = ("llm-new-a", "llm-new-b")
    tells: bool = True
    break_: Callable[[Asked], Said | None] = lambda _: None
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock, self._turn = threading.Lock(), itertools.count()

    def answer(self, asked: Asked) -> Said:
        with self._lock:
            self.asked.append(asked)
            pod = self.pods[next(self._turn) % len(self.pods)]
        if broken := self.break_(asked):
            return broken
        name = {"x-inference-pod": pod} if self.tells else {}
        if asked.path.endswith("/v1/models"):
            return Said(200, {"object": "list", "data": [{"id": name} for name in self.names]}, name)
        if asked.body.get("model") not in self.names:
            return Said(404, {"error": {"message": f"The model `{asked.body.get('model')}` does not exist.", "code": 404}}, name)
        with self._lock:
            self.counts[pod] += 1
        if asked.body.get("stream"):
            return Said(200, events(None, "length"), name)
        return Said(200, {"choices": [{"index": 0, "finish_reason": "length", "text": "hi", "message": {"content": "hi"}}]}, name)

    def metrics(self, pod: str) -> str:
        """What a pod says of itself; it has no series before its first generation."""
        head = 'vllm:num_requests_running{model_name="llm"} 0\n# TYPE vllm:request_success_total counter\n'
        count = self.counts[pod]
        return head + (f'vllm:request_success_total{{finished_reason="length",model_name="llm"}} {count}.0\n' if count else "")

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> FakeOpenAI:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: Mapping[str, Any]) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                said = fake.answer(Asked(self.path, headers, body))
                if isinstance(said.body, list):
                    self._events(said)
                    return
                data = (said.body if isinstance(said.body, str) else json.dumps(said.body)).encode()
                self._head(said, {"Content-Length": str(len(data))})
                self.wfile.write(data)

            def _events(self, said: Said) -> None:
                self._head(said, {"Transfer-Encoding": "chunked", "Content-Type": "text/event-stream"})
                for event in said.body:
                    if isinstance(event, float):  # a pause
                        time.sleep(event)
                        continue
                    if event == "CUT":
                        self.close_connection = True
                        return
                    data = f"data: {event}\n\n".encode()
                    self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def _head(self, said: Said, more: Mapping[str, str]) -> None:
                self.send_response(said.status)
                for name, value in {**said.headers, **more}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
