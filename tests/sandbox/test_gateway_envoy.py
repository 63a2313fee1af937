"""A real Envoy behind the controller, without a cluster: what it serves, and that no change loses a request."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.gateway import envoy
from sandbox.gateway.admin import Admin
from sandbox.gateway.controller import Controller
from sandbox.gateway.files import GatewayFiles, write_json
from sandbox.gateway.kinds import GATEWAY_CLASS, WATCHED
from sandbox.gateway.objects import key_of
from sandbox.gateway.store import Store
from sandbox.home import Home
from tests.sandbox import gateway_world as w

pytest.importorskip("envoy", reason="Envoy comes with sandbox/requirements.txt")

OTHER_CLASS = "not-ours"


class Backend(BaseHTTPRequestHandler):
    """Says its own address; /stream says it ten times in two seconds."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        chunks, pause = (20, 0.1) if self.path == "/stream" else (1, 0.0)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(chunks):
            self._chunk(f"{self.connection.getsockname()[0]}\n".encode())
            time.sleep(pause)
        self._chunk(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


class World:
    """Envoy, the controller in this process, and backends on 127.0.1.x."""

    def __init__(self, folder: Path) -> None:
        self.files = GatewayFiles(Home(folder))
        self.port, self.backend_port = free_port("127.0.0.1"), 0
        self.store = Store(WATCHED)
        self.patched: dict[str, object] = {}
        for kind in WATCHED:
            self.store.deliver(kind, "SYNCED", {})
        self.put(w.gateway_class(), w.gateway())
        envoy.prepare(self.files, self.port)
        self.stop = threading.Event()
        self.admin = Admin(self.files.admin)
        self._version = 10

    def put(self, *items: w.Item) -> None:
        for kind, manifest in items:
            self.store.deliver(kind, "MODIFIED", manifest)

    def drop(self, *items: w.Item) -> None:
        for kind, manifest in items:
            self.store.deliver(kind, "DELETED", manifest)

    def run(self) -> Controller:
        controller = Controller(self.store, self.files, self.admin, self._patch)
        self.stop = threading.Event()
        threading.Thread(target=controller.run, args=(self.stop, lambda: None), daemon=True).start()
        return controller

    def _patch(self, path: str, body: object) -> dict[str, object]:
        self.patched[path] = body
        _, objects = self.store.read()
        for kind in WATCHED:
            for manifest in objects.all(kind):
                if f"{kind.path(*key_of(manifest))}/status" == path:
                    return {**manifest, "status": {**manifest.get("status", {}), **body["status"]}}  # type: ignore[index]
        raise AssertionError(path)

    def get(self, path: str = "/", host: str = "x", **headers: str) -> tuple[int, str | None, str]:
        """Status, pool and body of one request on a connection of its own."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("GET", path, headers={"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}})
            answer = connection.getresponse()
            return answer.status, answer.getheader("x-sandbox-pool"), answer.read().decode()

    def eventually(self, wanted: Callable[[], bool]) -> float:
        """Seconds until something holds."""
        return eventually(wanted)


def eventually(wanted: Callable[[], bool], seconds: float = 20) -> float:
    start = time.monotonic()
    while not wanted():
        assert time.monotonic() - start < seconds, "it never came"
        time.sleep(0.005)
    return time.monotonic() - start


def free_port(address: str) -> int:
    with closing(socket.socket()) as found:
        found.bind((address, 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("gw"))
    servers = []
    for last in (1, 2, 3):
        server = ThreadingHTTPServer((f"127.0.1.{last}", found.backend_port), Backend)
        found.backend_port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    process = envoy.start(envoy.command(found.files, threads=1), found.files)
    found.run()
    found.eventually(found.admin.ready)
    yield found
    found.stop.set()
    process.terminate()
    process.wait(10)
    for server in servers:
        server.shutdown()


@pytest.fixture
def pools(world: World) -> Iterator[World]:
    """Pools one and two, each with a pod; nobody answers for their pickers, and they fail open."""
    items = [w.pool("one"), w.pool("two"), w.pool("shut", fail_open=False)]
    for number, name in enumerate(("one", "two", "shut"), 1):
        kind, pod = w.pod(name, f"127.0.1.{number}", app=name)
        items.append((kind, pod))
    for _, manifest in items[:3]:
        manifest["spec"]["targetPorts"] = [{"number": world.backend_port}]
    world.put(*items)
    yield world
    world.drop(*items)


def serve(world: World, *rules: dict[str, object], name: str = "r", **more: object) -> w.Item:
    item = w.route(name, *rules, **more)  # type: ignore[arg-type]
    world.put(item)
    return item


def shares(world: World, requests: int = 400) -> Counter[tuple[int, str | None]]:
    return Counter(world.get()[:2] for _ in range(requests))


def test_weights_split_and_failures_stay_in_their_share(pools: World) -> None:
    serve(pools, w.rule(w.ref("one", 80), w.ref("nowhere", 20)))
    pools.eventually(lambda: pools.get()[1] == "one")
    found = shares(pools)
    assert set(found) == {(200, "one"), (500, None)}
    assert 40 < found[500, None] < 130  # 80 of 400 wanted, 4 sigma = 32


def test_picker_that_is_away_lets_pass_or_refuses(pools: World) -> None:
    serve(pools, w.rule(w.ref("shut", 50), w.ref("two", 50)))
    pools.eventually(lambda: pools.get()[1] == "two")
    found = shares(pools, 100)
    assert set(found) == {(200, "two"), (500, "shut")}


def test_no_weight_at_all_is_500_and_comes_back(pools: World) -> None:
    serve(pools, w.rule(w.ref("one", 0), w.ref("two", 0)))
    pools.eventually(lambda: pools.get() == (500, None, "no backend has a weight"))
    serve(pools, w.rule(w.ref("one", 0), w.ref("two", 100)))
    pools.eventually(lambda: pools.get()[:2] == (200, "two"))
    assert set(shares(pools, 50)) == {(200, "two")}


def test_header_and_path_and_host_choose_the_rule(pools: World) -> None:
    header = {"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"type": "Exact", "name": "X-Test", "value": "new"}]}
    serve(pools, w.rule(w.ref("two"), matches=[header]), w.rule(w.ref("one", 100), w.ref("two", 0)))
    exact = {"path": {"type": "Exact", "value": "/exact"}}
    other = serve(pools, w.rule(w.ref("two"), matches=[exact]), name="other", hostnames=["a.example.com"])
    pools.eventually(lambda: pools.get("/exact", host="a.example.com")[1] == "two")
    assert pools.get()[1] == "one"
    assert pools.get(x_test="new")[1] == "two"
    assert pools.get(x_test="newer")[1] == "one"
    assert pools.get("/exact")[1] == "one"
    assert pools.get("/else", host="a.example.com:8080")[1] == "one"
    pools.drop(other)


def test_changes_lose_nothing(pools: World) -> None:
    """40 changes of weight, a backend that comes and goes, under 4 clients; streams that are under way end whole."""
    serve(pools, w.rule(w.ref("one", 100)))
    pools.eventually(lambda: pools.get()[1] == "one")
    stop, seen = threading.Event(), Counter[tuple[int, str]]()

    def client() -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", pools.port, timeout=20)) as connection:
            while not stop.is_set():
                connection.request("POST", "/", body=b'{"model": "m"}')
                answer = connection.getresponse()
                seen[answer.status, answer.read().decode().strip()] += 1

    streams: list[tuple[int, int]] = []

    def stream() -> None:
        status, _, body = pools.get("/stream")
        streams.append((status, len(body.splitlines())))

    threads = [threading.Thread(target=client) for _ in range(4)] + [threading.Thread(target=stream) for _ in range(8)]
    for thread in threads:
        thread.start()
    for step in range(40):
        serve(pools, w.rule(w.ref("one", 100 - step), w.ref("two", step)) if step % 10 else w.rule(w.ref("one", 1)))
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for status, _ in seen} == {200}
    assert {body for _, body in seen} == {"127.0.1.1", "127.0.1.2"}
    assert streams == [(200, 20)] * 8


def test_pod_that_leaves_takes_no_more_and_finishes_what_it_has(pools: World) -> None:
    second = w.pod("one-b", "127.0.1.2", app="one")
    pools.put(second)
    serve(pools, w.rule(w.ref("one")))
    pools.eventually(lambda: pools.get()[2] == "127.0.1.2\n")
    bodies: list[str] = []
    # That all twelve are drawn to one pod happens once in 2,000 times.
    streams = [threading.Thread(target=lambda: bodies.append(pools.get("/stream")[2])) for _ in range(12)]
    for thread in streams:
        thread.start()
    time.sleep(0.3)
    pools.drop(second)
    pools.eventually(lambda: all(pools.get()[2] == "127.0.1.1\n" for _ in range(10)))
    for thread in streams:
        thread.join()
    assert sorted({body.splitlines()[0] for body in bodies}) == ["127.0.1.1", "127.0.1.2"]
    assert all(len(body.splitlines()) == 20 for body in bodies)


def test_status_follows_effect(pools: World) -> None:
    pools.patched.clear()
    write_json(pools.files.settings, {"weightDelay": 0.5, "statusDelay": 0.7})
    try:
        start = time.monotonic()
        serve(pools, w.rule(w.ref("two", 7)), generation=5)
        path = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/r/status"
        effect = pools.eventually(lambda: pools.get()[1] == "two")
        assert generation_told(pools, path) != 5
        pools.eventually(lambda: generation_told(pools, path) == 5)
        told = time.monotonic() - start
    finally:
        pools.files.settings.unlink()
    assert effect >= 0.4
    assert told >= 1.1
    parent = pools.patched[path]["status"]["parents"][0]  # type: ignore[index]
    assert parent["controllerName"] == "networking.gke.io/gateway"
    told_of = {c["type"]: (c["status"], c["observedGeneration"]) for c in parent["conditions"]}
    assert told_of == dict.fromkeys(("Accepted", "ResolvedRefs", "Reconciled"), ("True", 5))


def generation_told(world: World, path: str) -> int | None:
    told = world.patched.get(path)
    return told["status"]["parents"][0]["conditions"][0]["observedGeneration"] if told else None  # type: ignore[index]


def test_restarted_controller_disturbs_nothing_and_goes_on(pools: World) -> None:
    serve(pools, w.rule(w.ref("one", 50), w.ref("two", 50)))
    pools.eventually(lambda: {pools.get()[1] for _ in range(20)} == {"one", "two"})
    before = pools.files.routes.stat().st_mtime_ns, pools.files.clusters.stat().st_mtime_ns
    pools.stop.set()
    pools.run()
    time.sleep(0.3)
    assert (pools.files.routes.stat().st_mtime_ns, pools.files.clusters.stat().st_mtime_ns) == before
    serve(pools, w.rule(w.ref("two")))
    pools.eventually(lambda: set(shares(pools, 20)) == {(200, "two")})


def test_other_controllers_gateway_is_left_alone(world: World) -> None:
    kind, theirs = w.gateway("theirs")
    theirs["spec"]["gatewayClassName"] = OTHER_CLASS
    world.put((kind, theirs), (GATEWAY_CLASS, {"metadata": {"name": OTHER_CLASS}, "spec": {"controllerName": "else.io/x"}}))
    world.patched.clear()
    serve(world, w.rule(w.ref("one")), name="t", hostnames=["t.example.com"], parents=[{"name": "theirs"}])
    time.sleep(0.3)
    assert not any("/httproutes/t/" in path or "/gateways/theirs/" in path for path in world.patched)


def test_what_envoy_refuses_changes_nothing(pools: World, caplog: pytest.LogCaptureFixture) -> None:
    serve(pools, w.rule(w.ref("one")))
    pools.eventually(lambda: pools.get()[1] == "one")
    wrong = {"path": {"type": "RegularExpression", "value": "/(("}}
    serve(pools, w.rule(w.ref("two"), matches=[wrong]))
    pools.eventually(lambda: "Envoy refused a configuration" in caplog.text)
    assert pools.get()[1] == "one"
    serve(pools, w.rule(w.ref("two")))
    pools.eventually(lambda: pools.get()[1] == "two")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_part_says_that_it_is_ready_and_ends_with_its_envoy(tmp_path: Path, number: signal.Signals) -> None:
    port, home = free_port("127.0.0.1"), Home(tmp_path / ("a" * 100))  # longer than the path of a socket may be
    command = [sys.executable, "-m", "sandbox.gateway.envoy", "--home", str(home.root), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as part:
        eventually(home.ready_file("envoy").exists)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 404  # no route yet
        part.send_signal(number)
        assert part.wait(10) == (0 if number == signal.SIGTERM else -number)
    eventually(lambda: not listens(port))
    assert home.ready_file("envoy").exists() is (number == signal.SIGKILL)


def listens(port: int) -> bool:
    with closing(socket.socket()) as asks:
        return asks.connect_ex(("127.0.0.1", port)) == 0
