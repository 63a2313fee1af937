"""Where adapters come from in the sandbox: any gs:// or hf:// source holds a small adapter, the same for the same source.

It answers the parts of Cloud Storage's JSON API and of the Hugging Face hub's API that adapter_sync.py asks for. A source whose
path holds `missing` has no files, so that a failing download can be tried.
"""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

FILES = ("adapter_config.json", "adapter_model.safetensors")
ABSENT = "missing"
Answer = tuple[int, bytes]


def answer(target: str) -> Answer:
    """Status and body of a GET.

    Args:
        target: path and query, as requested.
    """
    split = urlsplit(target)
    parts = split.path.strip("/").split("/")
    if parts[:3] == ["storage", "v1", "b"] and len(parts) >= 5 and parts[4] == "o":
        return _bucket(unquote(parts[3]), [unquote(part) for part in parts[5:]], parse_qs(split.query))
    return _hub([unquote(part) for part in parts])


def _bucket(bucket: str, name: list[str], query: dict[str, list[str]]) -> Answer:
    if not name:
        prefix = query.get("prefix", [""])[0]
        listed = [] if ABSENT in prefix else [{"name": f"{prefix}{file}"} for file in FILES]
        return _json({"items": listed} if listed else {})
    path, _, file = "/".join(name).rpartition("/")
    return _file(f"gs://{bucket}/{path}", file)


def _hub(parts: list[str]) -> Answer:
    if parts[:2] == ["api", "models"] and len(parts) == 6 and parts[4] == "revision":
        source = f"hf://{parts[2]}/{parts[3]}@{parts[5]}"
        if ABSENT in source:
            return 404, b""
        return _json({"sha": _digest(source)[:40], "siblings": [{"rfilename": file} for file in FILES]})
    if len(parts) == 5 and parts[2] == "resolve":
        return _file(f"hf://{parts[0]}/{parts[1]}@{parts[3]}", parts[4])
    return 404, b""


def _file(source: str, name: str) -> Answer:
    if name not in FILES or ABSENT in source:
        return 404, b""
    if name.endswith(".json"):
        return _json({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "base_model_name_or_path": None, "source": source})
    return 200, _digest(source).encode() * 64


def _json(content: Any) -> Answer:
    return 200, json.dumps(content).encode()


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        status, body = answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


def serve() -> str:
    """Answer on a free loopback port until the process ends; the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
