"""A kube-apiserver of which only the reading is played: objects by path, answers as the real one words them.

Writing is refused here; `server_side.WritableApiServer` plays as much of it as weights need.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]


def status(code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> tuple[int, Any]:
    """An error as the API server gives it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}
    return code, body | ({"details": dict(details)} if details else {})


FORBIDDEN = status(
    403, "Forbidden", 'deployments.apps "llm-new" is forbidden: User "ci" cannot get resource "deployments" in API group "apps"'
)
UNAUTHORIZED = status(401, "Unauthorized", "Unauthorized")


def path_of(value: Object) -> str:
    """The path of an object."""
    api, meta = value["apiVersion"], value["metadata"]
    root = f"/apis/{api}" if "/" in api else f"/api/{api}"
    return f"{root}/namespaces/{meta['namespace']}/{value['kind'].lower()}s/{meta['name']}"


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # many threads ask at once


@dataclass
class FakeApiServer:
    """Serves objects on a loopback port, as a context manager.

    Attributes:
        answers: status and body by path, before any object is looked for; a body that is a text is sent as it is.
        adapters: what each pod answers to /adapters, by its name.
        token: with one, every request has to bring it.
        asked: path and query of every request.
    """

    objects: dict[str, Object] = field(default_factory=dict)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    adapters: dict[str, Any] = field(default_factory=dict)
    token: str | None = None
    asked: list[str] = field(default_factory=list)

    def put(self, *values: Object) -> None:
        """Let objects stand."""
        self.objects |= {path_of(value): value for value in values}

    def answer(self, path: str, authorization: str | None) -> tuple[int, Any]:
        """Status and body of a GET."""
        self.asked.append(path)
        if self.token and authorization != f"Bearer {self.token}":
            return UNAUTHORIZED
        parts = urlsplit(path)
        if parts.path in self.answers:
            return self.answers[parts.path]
        if parts.path in self.objects:
            return 200, self.objects[parts.path]
        if "/proxy/" in parts.path:
            pod, _, port = parts.path.split("/")[6].partition(":")
            return (200, self.adapters[pod]) if (port, pod in self.adapters) == ("8081", True) else _no_pod(pod)
        if parts.path.rsplit("/", 1)[-1] == "pods":
            return 200, {"kind": "PodList", "items": list(self._pods(parse_qs(parts.query)["labelSelector"][0]))}
        kind, name = parts.path.split("/")[-2:]
        return status(404, "NotFound", f'{kind} "{name}" not found', {"name": name, "kind": kind})

    def patch(self, path: str, content_type: str, body: bytes, authorization: str | None) -> tuple[int, Any]:
        """Status and body of a PATCH."""
        return status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _pods(self, selector: str) -> Iterable[Object]:
        wanted = dict(pair.split("=") for pair in selector.split(","))
        pods = [value for value in self.objects.values() if value["kind"] == "Pod"]
        return [pod for pod in pods if wanted.items() <= pod["metadata"]["labels"].items()]

    def kubeconfig(self, user: Mapping[str, Any] | None = None, server: str | None = None) -> str:
        """The text of a kubeconfig for it."""
        named = {"name": "here", "cluster": {"server": server or self.url}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [named],
            "users": [{"name": "me", "user": dict(user or {})}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "current-context": "here",
        }
        return json.dumps(config)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(*fake.answer(self.path, self.headers.get("Authorization")))

            def do_PATCH(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                kind = str(self.headers.get("Content-Type"))
                self._send(*fake.patch(self.path, kind, sent, self.headers.get("Authorization")))

            def _send(self, code: int, body: Any) -> None:
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _no_pod(pod: str) -> tuple[int, Any]:
    return status(503, "ServiceUnavailable", f"error trying to reach service: dial tcp: no route to {pod}")
