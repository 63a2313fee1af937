"""What a kubelet does, piece by piece: probes, restarts, status, addresses, volumes; with real processes where there are any."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from sandbox.nodes import volumes
from sandbox.nodes.backoff import CrashBackoff
from sandbox.nodes.container import Container
from sandbox.nodes.drain import is_busy
from sandbox.nodes.ipam import Addresses
from sandbox.nodes.launch import Launch, Role
from sandbox.nodes.probes import Probe, probe_of
from sandbox.nodes.settings import SettingsFile, configure, configured, parse
from sandbox.nodes.standing import Faults, Standing
from sandbox.nodes.status import container_status, pod_status
from sandbox.nodes.targets import targets

PATIENCE = 20.0

# --- probes -------------------------------------------------------------------------------------------------------------


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def http_port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def grpc_port() -> Iterator[int]:
    """Health of a gRPC server: `up` is serving, `down` is not, others are not known."""

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        status = {b"\x0a\x02up": b"\x08\x01", b"\x0a\x04down": b"\x08\x02"}.get(request)
        if status is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return status or b""

    server = grpc.server(futures.ThreadPoolExecutor(2))
    method = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(0)


def passes(probe: Probe) -> bool:
    return asyncio.run(probe.passes("127.0.0.1"))


def test_an_http_probe_passes_below_400(http_port: int) -> None:
    assert passes(Probe("http", http_port, "/health"))
    assert not passes(Probe("http", http_port, "/other"))


def test_a_grpc_probe_asks_for_its_service(grpc_port: int) -> None:
    assert passes(Probe("grpc", grpc_port, "up", timeout=5))
    assert not passes(Probe("grpc", grpc_port, "down", timeout=5))
    assert not passes(Probe("grpc", grpc_port, "unknown", timeout=5))


def test_a_probe_of_a_port_on_which_nobody_listens_fails(http_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        assert not any(passes(Probe(kind, closed, timeout=1)) for kind in ("http", "tcp", "grpc"))
    assert passes(Probe("tcp", http_port))


def test_a_probe_has_a_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        assert not passes(Probe("http", silent.getsockname()[1], "/", timeout=0.2))
        assert time.monotonic() - began < PATIENCE


def test_probes_are_read_with_the_defaults_of_kubernetes_and_ports_by_name() -> None:
    container = {
        "ports": [{"name": "http", "containerPort": 8000}],
        "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5, "failureThreshold": 360},
        "livenessProbe": {"grpc": {"port": 9003, "service": "inference-extension"}},
    }

    assert probe_of(container, "startupProbe") == Probe("http", 8000, "/health", period=5, failure=360)
    assert probe_of(container, "livenessProbe") == Probe("grpc", 9003, "inference-extension", period=10, timeout=1, failure=3)
    assert probe_of(container, "readinessProbe") is None


# --- containers ---------------------------------------------------------------------------------------------------------


class Around:
    """Runs one Python line for every container; counts what it is told."""

    relay = Path("/nonexistent")

    def __init__(self, line: str, **launch: Any) -> None:
        self.made = Launch("server", (sys.executable, "-I", "-S", "-c", line), {}, **launch)
        self.block = False
        self.changes = 0

    def launch(self, container: Mapping[str, Any]) -> Launch:
        return self.made

    def private(self, port: int) -> int:
        return port

    def held(self, role: Role) -> bool:
        return self.block

    def began(self, container: Container) -> None:
        pass

    def changed(self) -> None:
        self.changes += 1


SLEEP = "import time; time.sleep(60)"
PLAIN = {"name": "server", "image": "i"}


def play(story: Callable[[Container], Coroutine[Any, Any, None]], around: Around, folder: Path, spec: Any = None) -> Container:
    """Run a container while a story happens to it."""
    container = Container({**PLAIN, **(spec or {})}, "127.0.0.1", around, folder / "log")

    async def both() -> None:
        running = asyncio.create_task(container.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await story(container)
        finally:
            container.abandon()
            await running

    asyncio.run(both())
    return container


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def test_a_container_that_is_killed_is_started_again_at_once_then_later(tmp_path: Path) -> None:
    async def story(container: Container) -> None:
        await until(lambda: container.process)
        container.kill("OOMKilled")
        await until(lambda: container.restarts == 1 and container.process)
        assert container.last_state["terminated"]["reason"] == "OOMKilled"
        assert container.last_state["terminated"]["exitCode"] == 137
        container.kill()
        await until(lambda: "waiting" in container.state)
        assert container.state["waiting"]["reason"] == "CrashLoopBackOff"
        assert container.last_state["terminated"]["reason"] == "Error"
        container.kill("OOMKilled")  # nothing runs that could be
        container.retry()
        await until(lambda: container.process)
        container.kill()
        await until(lambda: container.restarts == 3)
        assert container.last_state["terminated"]["reason"] == "Error"

    assert play(story, Around(SLEEP), tmp_path).restarts == 3


def test_a_container_that_ends_by_itself_keeps_its_exit_code_and_its_output(tmp_path: Path) -> None:
    async def story(container: Container) -> None:
        await until(lambda: container.restarts)
        assert container.last_state["terminated"]["exitCode"] == 3

    play(story, Around("print('why', flush=True); raise SystemExit(3)"), tmp_path)

    assert "why" in (tmp_path / "log").read_text()


def test_sigterm_first_and_sigkill_when_the_grace_period_is_over(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"

    async def story(container: Container) -> None:
        await until(lambda: (tmp_path / "log").exists() and "deaf" in (tmp_path / "log").read_text())
        began = time.monotonic()
        await container.stop(0.3)
        assert 0.3 <= time.monotonic() - began < PATIENCE

    play(story, Around(deaf, shutdown_timeout=None), tmp_path)


def test_a_server_that_loads_for_ever_runs_but_is_not_started(tmp_path: Path) -> None:
    around = Around(SLEEP, load_seconds=float("inf"))

    async def story(container: Container) -> None:
        await until(lambda: "running" in container.state)
        await asyncio.sleep(0.5)
        assert container.process is None
        assert not container.started
        container.kill()
        await until(lambda: container.restarts == 1)

    play(story, around, tmp_path, {"startupProbe": {"tcpSocket": {"port": 1}, "periodSeconds": 60}})


def test_a_fault_holds_a_server_until_it_is_cleared(tmp_path: Path) -> None:
    around = Around(SLEEP)
    around.block = True

    async def story(container: Container) -> None:
        await asyncio.sleep(0.5)
        assert container.process is None
        around.block = False
        await until(lambda: container.process)

    play(story, around, tmp_path)


def test_a_failing_startup_probe_restarts_the_container(tmp_path: Path) -> None:
    async def story(container: Container) -> None:
        await until(lambda: container.restarts == 1)
        assert not container.ready

    probe = {"tcpSocket": {"port": 1}, "periodSeconds": 0.1, "failureThreshold": 2}
    play(story, Around(SLEEP), tmp_path, {"startupProbe": probe})


def test_readiness_follows_the_probe_and_restarts_nothing(tmp_path: Path, http_port: int) -> None:
    async def story(container: Container) -> None:
        await until(lambda: container.ready)
        assert container.started

    spec = {"readinessProbe": {"httpGet": {"path": "/health", "port": http_port}, "periodSeconds": 0.1}}
    assert play(story, Around(SLEEP), tmp_path, spec).restarts == 0


def test_a_refused_container_says_why(tmp_path: Path) -> None:
    async def story(container: Container) -> None:
        await until(lambda: container.state.get("waiting", {}).get("message") == "no such program")

    around = Around(SLEEP)
    around.made = Launch("picker", refused="no such program")
    play(story, around, tmp_path)


def test_back_off_doubles_up_to_five_minutes_and_forgives_a_long_run() -> None:
    backoff = CrashBackoff()

    assert [backoff.after(1) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert [backoff.after(600), backoff.after(1)] == [0, 10]


def test_a_simulator_is_busy_while_requests_run_or_wait() -> None:
    idle = 'vllm:num_requests_running{model_name="m"} 0\nvllm:num_requests_waiting{model_name="m"} 0\nother 5\n'

    assert not is_busy(idle)
    assert is_busy(idle.replace('running{model_name="m"} 0', 'running{model_name="m"} 1'))
    assert is_busy(idle.replace('waiting{model_name="m"} 0', 'waiting{model_name="m"} 2'))


# --- status -------------------------------------------------------------------------------------------------------------


def status_of(ready: bool, before: Any = None, *, gates: Any = ()) -> dict[str, Any]:
    sidecar = {"name": "adapter-sync", "image": "i", "restartPolicy": "Always"}
    pod = {"spec": {"initContainers": [sidecar], "containers": [PLAIN], "readinessGates": gates}, "status": before or {}}
    init = [{"name": "adapter-sync", "ready": ready}]
    return pod_status(pod, "10.77.1.1", "10.77.250.1", init, [{"name": "server", "ready": True}], initialized=True, at="t1")


def conditions(status: Mapping[str, Any]) -> dict[str, Any]:
    return {c["type"]: c for c in status["conditions"]}


def test_a_pod_is_ready_with_its_sidecar_and_not_before() -> None:
    unready = conditions(status_of(False))

    assert unready["Ready"]["status"] == unready["ContainersReady"]["status"] == "False"
    assert unready["Ready"]["message"] == "containers with unready status: [adapter-sync]"
    assert conditions(status_of(True))["Ready"]["status"] == "True"


def test_a_condition_that_stays_keeps_its_time() -> None:
    before = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "t0"}]}

    assert conditions(status_of(True, before))["Ready"]["lastTransitionTime"] == "t0"
    assert conditions(status_of(False, before))["Ready"]["lastTransitionTime"] == "t1"


def test_a_readiness_gate_that_nobody_opened_keeps_a_pod_unready() -> None:
    gated = conditions(status_of(True, gates=[{"conditionType": "lb"}]))

    assert (gated["ContainersReady"]["status"], gated["Ready"]["status"]) == ("True", "False")


def test_a_containers_status_has_a_new_identity_after_each_restart(tmp_path: Path) -> None:
    container = Container(PLAIN, "127.0.0.1", Around(SLEEP), tmp_path / "log")
    first = container_status(container, "u")
    container.restarts = 1

    assert first["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert container_status(container, "u")["containerID"] != first["containerID"]


# --- addresses, volumes, settings, faults, targets ------------------------------------------------------------------------


def test_an_address_that_was_freed_is_given_out_last() -> None:
    addresses = Addresses()
    first = addresses.take("a", "10.77.3.0/29")
    addresses.free("a")

    others = [addresses.take(uid, "10.77.3.0/29") for uid in "bcdefg"]

    assert first == "10.77.3.1"
    assert others == ["10.77.3.2", "10.77.3.3", "10.77.3.4", "10.77.3.5", "10.77.3.6", "10.77.3.1"]
    with pytest.raises(ValueError, match="no address is free"):
        addresses.take("h", "10.77.3.0/29")


def test_a_pod_keeps_its_address_over_a_restart_of_the_agent() -> None:
    addresses = Addresses()
    addresses.keep("a", "10.77.3.4")

    assert addresses.take("a", "10.77.3.0/24") == "10.77.3.4"
    assert addresses.take("b", "10.77.3.0/24") == "10.77.3.5"


CONFIG = {"name": "list", "configMap": {"name": "llm-adapters"}}


def mounting(*mounted: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {"volumes": list(mounted)}}


def test_a_config_map_becomes_files_and_changes_with_it(tmp_path: Path) -> None:
    pod = mounting(CONFIG, {"name": "shm", "emptyDir": {}})
    volumes.write(pod, tmp_path, {"llm-adapters": {"data": {"a.json": "1", "b.json": "2"}}})
    volumes.write(pod, tmp_path, {"llm-adapters": {"data": {"a.json": "3"}}})

    assert {p.name: p.read_text() for p in (tmp_path / "list").iterdir()} == {"a.json": "3"}
    assert (tmp_path / "shm").is_dir()


def test_a_missing_config_map_is_named_unless_it_is_optional() -> None:
    optional = {"name": "o", "configMap": {"name": "other", "optional": True}}

    assert volumes.missing(mounting(CONFIG, optional), {}) == ["llm-adapters"]
    assert volumes.missing(mounting(CONFIG), {"llm-adapters": {}}) == []


def test_environment_comes_from_values_fields_and_secrets() -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}},
    ]
    found = {("secretKeyRef", "hf", "token"): "secret"}

    assert volumes.environment({"env": env}, mounting(), "10.77.1.1", found) == {
        "A": "1",
        "NAMESPACE": "n",
        "HF_TOKEN": "secret",
    }
    with pytest.raises(KeyError, match="secretKeyRef hf/token"):
        volumes.environment({"env": env}, mounting(), "10.77.1.1", {})


def test_settings_are_read_anew_and_bad_ones_change_nothing(tmp_path: Path) -> None:
    settings = SettingsFile(tmp_path / "nodes.json")
    assert settings.now.server.load_seconds == 0

    configure(tmp_path, loadSeconds=5, versions={"llm-new": {"loadSeconds": "forever"}})
    configure(tmp_path, tokenSeconds=0.1)
    assert settings.now.server_of({"inference-rollouts/version": "llm"}).load_seconds == 5
    assert settings.now.server_of({"inference-rollouts/version": "llm-new"}).load_seconds == float("inf")
    assert settings.now.server.token_seconds == 0.1

    (tmp_path / "nodes.json").write_text('{"loadSeconds": "soon"}')
    assert settings.now.server.load_seconds == 5
    (tmp_path / "nodes.json").unlink()
    assert settings.now.server.load_seconds == 0


@pytest.mark.parametrize("before", [None, {"loadSeconds": 5}])
def test_settings_for_a_while_leave_those_of_before(tmp_path: Path, before: dict[str, Any] | None) -> None:
    path = tmp_path / "nodes.json"
    if before:
        configure(tmp_path, **before)
    text = path.read_text() if before else None
    with contextlib.suppress(KeyboardInterrupt), configured(tmp_path, tokenSeconds=0.1):
        assert json.loads(path.read_text()) == {**(before or {}), "tokenSeconds": 0.1}
        raise KeyboardInterrupt
    assert (path.read_text() if path.exists() else None) == text


@pytest.mark.parametrize(
    "bad", [{"loadSecond": 1}, {"loadSeconds": -1}, {"loadSeconds": True}, {"versions": {"a": {"idleSeconds": 1}}}]
)
def test_unknown_or_senseless_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown|is seconds"):
        parse(bad)


def test_standing_faults_outlive_the_agent_and_hit_only_what_they_name(tmp_path: Path) -> None:
    Faults(tmp_path / "f.json").add(Standing("block", {"app": "llm-new"}, "server"))

    again = Faults(tmp_path / "f.json")
    assert again.holds({"app": "llm-new", "x": "y"}, "server")
    assert not again.holds({"app": "llm"}, "server")
    assert not again.holds({"app": "llm-new"}, "sidecar")
    again.clear()
    assert not Faults(tmp_path / "f.json").holds({"app": "llm-new"}, "server")


class Scraped:
    ip, name, namespace = "10.77.3.1", "llm-0", "default"
    labels: Mapping[str, str] = {"app": "llm"}
    manifest: Mapping[str, Any] = {
        "spec": {"containers": [{"name": "server", "ports": [{"name": "http", "containerPort": 8000}]}]}
    }


def test_targets_carry_the_labels_that_the_metric_queries_ask_for() -> None:
    def monitoring(name: str, app: str, namespace: str = "default") -> dict[str, Any]:
        spec = {"selector": {"matchLabels": {"app": app}}, "endpoints": [{"port": "http", "path": "/metrics"}]}
        return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}

    found = targets(
        [Scraped()], [monitoring("llm", "llm"), monitoring("b", "b"), monitoring("c", "llm", "elsewhere")], {"cluster": "c"}
    )

    assert [entry["targets"] for entry in found] == [["10.77.3.1:8000"]]
    labels = found[0]["labels"]
    assert {"job": "llm", "namespace": "default", "pod": "llm-0", "cluster": "c"}.items() <= labels.items()
    assert labels["__metrics_path__"] == "/metrics"
    assert json.dumps(found)
