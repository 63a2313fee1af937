"""A stand-in for vLLM's runtime LoRA endpoints, with the statuses that vLLM 0.32.0 was measured to give.

Speaks only what a rollout asks of it: /health, /v1/models, load and unload, completions and a few metrics. It can be
stopped and started on the same port, lose its adapters like a container restart, and be made slow or failing.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit


class Request(NamedTuple):
    method: str
    path: str  # with its query
    headers: dict[str, str]
    body: bytes
    at: float  # monotonic seconds


class Answer(NamedTuple):
    status: int
    body: Any = b""  # text and bytes go out as they are, everything else as JSON
    headers: Mapping[str, str] = MappingProxyType({})


class FakeServer:
    """An HTTP server on 127.0.0.1 and a port that it keeps from one start to the next."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.port = 0
        self._http: ThreadingHTTPServer | None = None
        self._held: dict[str, threading.Event] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def start(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self.port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def hold(self, name: str) -> None:
        """Be endlessly slow about this adapter or object, until it is released."""
        self._held[name] = threading.Event()

    def release(self, name: str) -> None:
        self._held.pop(name).set()

    def wait_for_release(self, name: str) -> None:
        if name in self._held:
            self._held[name].wait(60)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if urlsplit(request.path).path == path]


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, dict(self.headers), body, time.monotonic())
            server.requests.append(request)
            status, content, headers = server.answer(request)
            data = content if isinstance(content, bytes) else _text(content).encode()
            self.send_response(status)
            for key, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(key, value)
            with suppress(ConnectionError):  # whoever asked may be gone by now: tests kill it
                self.end_headers()
                self.wfile.write(data)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    return Handler


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content)


class FakeVllm(FakeServer):
    """One vLLM server with a base model; `loaded` maps each adapter's name to its path."""

    def __init__(self, base_model: str = "base") -> None:
        super().__init__()
        self.base_model = base_model
        self.loaded: dict[str, str] = {}
        self.health = 200
        self.models_status = 200
        self.load_failures: dict[str, int] = {}  # status by adapter name
        self.unload_failures: dict[str, int] = {}
        self.forgetful: set[str] = set()  # answers 200 to their load and does not load them

    def restart(self, down_seconds: float = 0.0) -> None:
        """What a container restart does: the port refuses, and what was loaded at run time is gone."""
        self.stop()
        self.loaded.clear()
        time.sleep(down_seconds)
        self.start()

    def answer(self, request: Request) -> Answer:
        routes: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "/health": lambda _: Answer(self.health),
            "/v1/models": lambda _: self._models(),
            "/metrics": lambda _: Answer(200, self._metrics()),
            "/v1/load_lora_adapter": self._load,
            "/v1/unload_lora_adapter": self._unload,
            "/v1/completions": self._complete,
        }
        route = routes.get(urlsplit(request.path).path)
        if route is None:
            return Answer(404, {"detail": "Not Found"})
        return route(json.loads(request.body or b"{}"))

    def _models(self) -> Answer:
        if self.models_status != 200:
            return _error(self.models_status, "no list of models")
        base = {"id": self.base_model, "object": "model", "root": self.base_model, "parent": None}
        adapters = [
            {"id": name, "object": "model", "root": path, "parent": self.base_model} for name, path in self.loaded.items()
        ]
        return Answer(200, {"object": "list", "data": [base, *adapters]})

    def _load(self, body: dict[str, Any]) -> Answer:
        name, path = body.get("lora_name"), body.get("lora_path")
        if not name or not path:
            return _error(400, "Both 'lora_name' and 'lora_path' must be provided.")
        self.wait_for_release(name)
        if name in self.loaded:
            return _error(400, f"The lora adapter '{name}' has already been loaded.")
        if name in self.load_failures:
            return _error(self.load_failures[name], "made to fail")
        if not (Path(path) / "adapter_config.json").is_file():
            return _error(404, f"Loading lora {name} failed: No adapter found for {path}")
        if name not in self.forgetful:
            self.loaded[name] = path
        return Answer(200, f"Success: LoRA adapter '{name}' added successfully.")

    def _unload(self, body: dict[str, Any]) -> Answer:
        name = body.get("lora_name")
        if not name:
            return _error(400, "'lora_name' must be provided.")
        if name in self.unload_failures:
            return _error(self.unload_failures[name], "made to fail")
        if self.loaded.pop(name, None) is None:
            return _error(404, f"The lora adapter '{name}' cannot be found.")
        return Answer(200, f"Success: LoRA adapter '{name}' removed successfully.")

    def _complete(self, body: dict[str, Any]) -> Answer:
        model = body.get("model")
        if model not in (self.base_model, *self.loaded):
            return _error(404, f"The model `{model}` does not exist.")
        choice = {"index": 0, "text": f"hello from {model}", "finish_reason": "stop"}
        return Answer(200, {"object": "text_completion", "model": model, "choices": [choice]})

    def _metrics(self) -> str:
        label = f'model_name="{self.base_model}"'
        lines = [
            f"vllm:num_requests_running{{{label}}} 0.0",
            f"vllm:num_requests_waiting{{{label}}} 0.0",
            f"vllm:kv_cache_usage_perc{{{label}}} 0.0",
            'vllm:cache_config_info{block_size="16",num_gpu_blocks="512"} 1.0',
        ]
        if self.loaded:  # vLLM writes this series only once an adapter is loaded; its value is a timestamp
            labels = 'max_lora="2",running_lora_adapters="",waiting_lora_adapters=""'
            lines.append(f"vllm:lora_requests_info{{{labels}}} {time.time()}")
        return "\n".join(lines) + "\n"


def _error(status: int, message: str) -> Answer:
    return Answer(status, {"error": {"message": message, "code": status}})
