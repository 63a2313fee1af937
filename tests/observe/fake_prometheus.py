"""A Prometheus API with scripted answers, and the answers as the real one words them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

Reply = tuple[int, Any]
"""Status and body; a body that is a text is sent as it is."""


def vector(*values: str, **more: Any) -> Reply:
    """An instant vector with one series for each value."""
    result = [{"metric": {"pod": str(i)}, "value": [1795521600.123, value]} for i, value in enumerate(values)]
    return 200, {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def data(kind: str, result: Any) -> Reply:
    return 200, {"status": "success", "data": {"resultType": kind, "result": result}}


@dataclass
class FakePrometheus:
    """Answers POSTs on a loopback port, as a context manager.

    Attributes:
        answer: from the query to the reply.
        asked: path, form and headers of every request.
    """

    answer: Callable[[str], Reply] = lambda _: vector()
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/prometheus"

    def __enter__(self) -> FakePrometheus:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {key: values[0] for key, values in parse_qs(body).items()}
                fake.asked.append((self.path, form, dict(self.headers)))
                code, reply = fake.answer(form["query"])
                text = (reply if isinstance(reply, str) else json.dumps(reply)).encode()
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "https://login.invalid/?secret=1")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
