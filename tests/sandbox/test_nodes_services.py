"""What the node agent talks to and what it serves: the API server's watches, the store of adapters, the door for faults."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.data import adapter_sync
from sandbox.nodes import control, faults, store
from sandbox.nodes.kube import Kube, KubeError

PATIENCE = 20.0


class FakeApi(ThreadingHTTPServer):
    """Lists what it holds; a watch gets what is put into its queue and ends with None, as when the API server stops."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.items: list[dict[str, Any]] = []
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.refuse: list[int] = []
        self.watched_from: list[str] = []


class _Api(BaseHTTPRequestHandler):
    server: FakeApi  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.refuse:
            self._send(self.server.refuse.pop(0), {"message": "not now"})
        elif "watch=1" in self.path:
            self._watch()
        else:
            self._send(200, {"metadata": {"resourceVersion": "10"}, "items": self.server.items})

    def do_DELETE(self) -> None:
        self._send(404, {"message": "gone"})

    def _watch(self) -> None:
        self.server.watched_from.append(self.path)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while event := self.server.events.get():
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.close_connection = True

    def _send(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[FakeApi, Kube]]:
    server = FakeApi()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cluster = {"server": f"http://127.0.0.1:{server.server_port}"}
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    yield server, Kube(tmp_path / "kubeconfig")
    server.events.put(None)
    server.shutdown()


def thing(name: str, version: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}}


def test_a_watch_goes_on_after_the_api_server_was_away_and_tells_what_vanished(api: tuple[FakeApi, Kube]) -> None:
    server, kube = api
    server.items = [thing("a"), thing("b")]
    seen: queue.Queue[tuple[str, str]] = queue.Queue()
    kube.watch("/api/v1/pods", lambda event, found: seen.put((event, found.get("metadata", {}).get("name", ""))))

    def following(count: int) -> list[tuple[str, str]]:
        return [seen.get(timeout=PATIENCE) for _ in range(count)]

    assert following(3) == [("ADDED", "a"), ("ADDED", "b"), ("SYNCED", "")]
    server.events.put({"type": "ADDED", "object": thing("c", 11)})
    server.events.put({"type": "BOOKMARK", "object": thing("", 12)})
    assert following(1) == [("ADDED", "c")]

    server.items = [thing("b")]
    server.events.put({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
    server.events.put(None)
    assert sorted(following(2)) == [("DELETED", "a"), ("DELETED", "c")]
    assert following(2) == [("MODIFIED", "b"), ("SYNCED", "")]


def test_a_request_is_repeated_while_the_api_server_is_away_but_a_no_is_a_no(api: tuple[FakeApi, Kube]) -> None:
    server, kube = api
    server.refuse = [503, 429]
    assert kube.patiently(lambda: kube.get("/api/v1/pods"))["items"] == []

    server.refuse = [403]
    with pytest.raises(KubeError, match="HTTP 403: not now"):
        kube.patiently(lambda: kube.get("/api/v1/pods"))


def test_what_is_gone_need_not_be_deleted(api: tuple[FakeApi, Kube]) -> None:
    api[1].delete("/api/v1/pods/x", uid="u", grace=0)


def test_an_api_server_that_cannot_be_reached_is_a_kube_error(api: tuple[FakeApi, Kube]) -> None:
    server, kube = api
    server.shutdown()
    server.server_close()

    with pytest.raises(KubeError, match="cannot be reached"):
        kube.get("/api/v1/pods")


# --- the store of adapters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["gs://my-adapters/llm-v1", "gs://bucket/a/b/c/", "hf://acme/llm@v3"])
def test_the_sidecar_finds_an_adapter_behind_any_source(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = store.serve()
    monkeypatch.setattr(adapter_sync, "STORAGE_URL", url)
    monkeypatch.setattr(adapter_sync, "METADATA_HOST", "")
    monkeypatch.setattr(adapter_sync, "HUB_URL", url)
    monkeypatch.setattr(adapter_sync, "DIRECTORY", tmp_path)

    adapter_sync.fetch("llm-v1", source)

    held = Path(adapter_sync.path_of("llm-v1", source))
    assert sorted(path.name for path in held.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert json.loads((held / "adapter_config.json").read_text())["peft_type"] == "LORA"


def test_a_source_that_says_missing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    url = store.serve()
    monkeypatch.setattr(adapter_sync, "STORAGE_URL", url)
    monkeypatch.setattr(adapter_sync, "METADATA_HOST", "")

    with pytest.raises(adapter_sync.SyncError, match="no files there"):
        adapter_sync.files_of("gs://my-adapters/missing")


# --- the door for faults --------------------------------------------------------------------------------------------------


def test_a_fault_is_asked_for_through_the_door_and_answered(tmp_path: Path) -> None:
    asked: list[Mapping[str, Any]] = []

    async def handle(request: Mapping[str, Any]) -> list[str]:
        asked.append(request)
        if request["do"] == "clear":
            raise ValueError("cannot")
        return ["llm-0"]

    async def story() -> None:
        server = await control.serve(tmp_path, handle)
        hit = await asyncio.to_thread(faults.oom, tmp_path, {"app": "llm"}, again=True, after=2.0)
        assert hit == ["llm-0"]
        with pytest.raises(faults.FaultError, match="ValueError: cannot"):
            await asyncio.to_thread(faults.clear, tmp_path)
        server.close()

    asyncio.run(story())

    assert asked[0] == {
        "do": "kill",
        "kind": "oom",
        "role": "server",
        "selector": {"app": "llm"},
        "again": True,
        "after": 2.0,
    }


def test_without_an_agent_a_fault_says_so(tmp_path: Path) -> None:
    began = time.monotonic()

    with pytest.raises(faults.FaultError, match="node agent does not answer"):
        faults.clear(tmp_path)
    assert time.monotonic() - began < PATIENCE
