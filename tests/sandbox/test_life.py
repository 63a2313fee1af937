"""The life of a sandbox, on real parts: up, a crash, repair, down, and whatever may come between."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.observe.cluster import Cluster, Found
from sandbox import control, starting
from sandbox.enter import environment, run_inside
from sandbox.home import MARKER, Home, SandboxError, State, is_sandbox
from tests.sandbox import processes

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).resolve().parents[2]
ROLLOUT = str(Path(sys.executable).with_name("rollout"))


def kubectl(home: Home, *args: str) -> Any:
    """What kubectl answers, from outside."""
    words = [str(home.bin / "kubectl"), f"--kubeconfig={home.kubeconfig}", *args, "-o", "json"]
    return json.loads(subprocess.run(words, capture_output=True, check=True, timeout=60).stdout)


def rollout(home: Home, *args: str) -> subprocess.CompletedProcess[str]:
    """`rollout sandbox …`."""
    return subprocess.run([ROLLOUT, "sandbox", *args], env=_env(home), capture_output=True, text=True, timeout=240, check=False)


def _env(home: Home) -> dict[str, str]:
    return os.environ | {"ROLLOUT_SANDBOX_HOME": str(home.root)}


def pid_of(home: Home, part: str) -> int:
    return next(found["pid"] for found in control.status(home) if found["part"] == part)


def status_of(home: Home, part: str) -> str:
    return next(found["status"] for found in control.status(home) if found["part"] == part)


def test_the_same_addresses_serve_inside_and_outside(shared_home: Home) -> None:
    state = shared_home.running()
    outside = kubectl(shared_home, "version")["serverVersion"]
    inside = run_inside(shared_home, ["kubectl", "version", "-o", "json"], capture_output=True, check=True)
    assert outside == json.loads(inside.stdout)["serverVersion"]
    assert outside["gitVersion"] == "v1.36.3"
    with urllib.request.urlopen(f"http://127.0.0.1:{state.ports.prometheus}/-/ready", timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError, match="404"):  # Envoy's own answer, as nothing is routed yet
        urllib.request.urlopen(f"http://127.0.0.1:{state.ports.gateway}/", timeout=10)


def test_nothing_inside_reaches_out_and_every_pod_address_is_local(shared_home: Home) -> None:
    dial = "import socket, sys; s = socket.socket(); s.settimeout(2); sys.exit(s.connect_ex((sys.argv[1], 9)))"
    errors = {}
    for address in ("192.0.2.1", "10.77.3.4"):
        errors[address] = run_inside(shared_home, [sys.executable, "-c", dial, address]).returncode
    assert errors == {"192.0.2.1": errno.ENETUNREACH, "10.77.3.4": errno.ECONNREFUSED}


def test_the_cluster_says_that_it_is_this_sandbox(shared_home: Home, tmp_path: Path) -> None:
    text = shared_home.kubeconfig.read_text("utf-8")
    assert is_sandbox(text, shared_home)
    other = Home(tmp_path)
    other.write(State(id="another", gateway="gke", rootless=False, ports=starting.PREFERRED))
    assert not is_sandbox(text, other)


def test_the_programs_own_kubeconfig_leads_to_it(shared_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that components/cluster_access.py makes asks gke-gcloud-auth-plugin for its token."""
    from components.cluster_access import kubeconfig

    mine = json.loads(shared_home.kubeconfig.read_text("utf-8"))["clusters"][0]["cluster"]
    monkeypatch.setenv("PATH", environment(shared_home)["PATH"])
    text = kubeconfig("my-cluster", mine["server"], mine["certificate-authority-data"])
    found = Cluster(kubeconfig=text).get("v1", "ConfigMap", *MARKER)
    assert isinstance(found, Found), found
    assert found.value["data"]["id"] == shared_home.running().id


def test_every_crd_that_a_stack_on_gke_needs_is_served(shared_home: Home) -> None:
    from inference_rollouts.crds import missing, needs

    wanted = needs("v1", gke=True, adapters=True, criticality=True, creates_gateway=True)
    assert missing(wanted, [kubectl(shared_home, "get", "crd")]) == []


def test_a_second_up_has_nothing_to_do(shared_home: Home) -> None:
    before = processes.of(shared_home)
    done = rollout(shared_home, "up")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to do" in done.stdout
    assert f"export KUBECONFIG={shared_home.kubeconfig}" in done.stdout
    assert processes.of(shared_home).keys() == before.keys()


def test_a_crash_is_reported_and_the_next_up_repairs_it(shared_home: Home) -> None:
    os.kill(pid_of(shared_home, "kube-scheduler"), signal.SIGKILL)
    _await(lambda: status_of(shared_home, "kube-scheduler") == "crashed")
    told = rollout(shared_home, "status")
    assert told.returncode == 3
    assert "kube-scheduler has ended: signal SIGKILL. rollout sandbox up starts it again" in told.stderr
    assert "All of it: rollout sandbox logs kube-scheduler" in told.stderr
    shown = json.loads(rollout(shared_home, "status", "--json").stdout)
    assert (shown["up"], shown["well"]) == (True, False)

    mended = rollout(shared_home, "up")
    assert (mended.returncode, mended.stderr) == (0, "")
    assert "kube-scheduler was down: starting it again" in mended.stdout
    assert rollout(shared_home, "status").returncode == 0


def test_what_hangs_is_started_again_too(shared_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "STUCK_SECONDS", 3.0)
    hung = pid_of(shared_home, "kwok")
    os.kill(hung, signal.SIGSTOP)
    # Others too where the machine is so busy that they do not answer in time.
    assert "kwok" in (control.up(shared_home).repaired or [])
    assert pid_of(shared_home, "kwok") != hung


@pytest.mark.parametrize("part", ["etcd", "kube-apiserver", "door", "node-agent", "envoy", "gateway"])
def test_a_part_that_is_killed_and_started_again_has_lost_nothing(shared_home: Home, part: str) -> None:
    before = sorted(processes.of(shared_home).values())
    control.restart(shared_home, part, signal.SIGKILL)
    assert control.up(shared_home).repaired == []
    assert sorted(processes.of(shared_home).values()) == before, "no child of the killed one goes on beside the new one's"
    namespace, name = MARKER
    assert kubectl(shared_home, "get", "configmap", "-n", namespace, name)["data"]["id"] == shared_home.running().id


def test_a_part_can_be_stopped_and_started(shared_home: Home) -> None:
    assert rollout(shared_home, "stop", "kwok").returncode == 0
    assert status_of(shared_home, "kwok") == "stopped"
    started = rollout(shared_home, "start", "kwok")
    assert (started.returncode, started.stdout.split(" after")[0]) == (0, "kwok is ready")
    unknown = rollout(shared_home, "restart", "kwock")
    assert unknown.returncode == 2
    # Click draws the sentence in a box, and breaks it where the terminal ends.
    assert "kwock is no part; did you mean kwok?" in " ".join(unknown.stderr.replace("│", " ").split())


def test_down_frees_all_and_keeps_the_logs(home: Home) -> None:
    up = control.up(home)
    assert rollout(home, "down").stdout == "the sandbox is down\n"
    assert processes.none_left(home)
    assert [path.name for path in home.root.iterdir()] == ["logs"]
    for port in vars(up.state.ports).values():
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
    assert len(rollout(home, "logs", "kube-apiserver", "-n", "1").stdout.splitlines()) == 1
    assert rollout(home, "down").stdout == "the sandbox was not up: nothing to do\n"


def test_when_the_supervisor_is_killed_all_parts_end_and_up_begins_anew(home: Home) -> None:
    state = control.up(home).state
    os.kill(state.pid, signal.SIGKILL)
    assert processes.none_left(home)
    told = rollout(home, "status")
    assert told.returncode == 3
    assert f"its supervisor, process {state.pid}, is gone" in told.stderr
    again = rollout(home, "up")
    assert again.returncode == 0
    assert again.stdout.startswith("the sandbox is not up any more")
    new = home.running()
    assert (new.ports, new.id == state.id) == (state.ports, False)

    # And when somebody removes the home, nobody could reach the parts any more.
    (home.root / "state.json").unlink()
    assert processes.none_left(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing_behind(home: Home, number: signal.Signals) -> None:
    with subprocess.Popen([ROLLOUT, "sandbox", "up"], env=_env(home), stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout
        # In the middle of the start: etcd is ready, the API server is not.
        assert any(line.split()[:1] == ["etcd"] for line in up.stdout)
        up.send_signal(number)
        assert up.wait(30) == 130
    assert processes.none_left(home)
    assert not home.root.exists()


def test_of_two_ups_at_once_the_second_waits(home: Home) -> None:
    with (
        subprocess.Popen([ROLLOUT, "sandbox", "up"], env=_env(home), stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen([ROLLOUT, "sandbox", "up"], env=_env(home), stdout=subprocess.PIPE, text=True) as two,
    ):
        outputs = [one.communicate(timeout=240)[0], two.communicate(timeout=240)[0]]
        assert [one.returncode, two.returncode] == [0, 0]
    waited = next(text for text in outputs if text.startswith("another rollout sandbox is bringing this one up or down"))
    assert "nothing to do" in waited
    assert sum("sandbox.supervisor" in command and "unshare" in command for command in processes.of(home).values()) == 1


def test_a_part_that_does_not_start_ends_the_up_with_its_log(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho the disk is full >&2\nexit 7\n")
    broken.chmod(0o755)
    real = starting.programs
    monkeypatch.setattr(starting, "programs", lambda gateway: real(gateway) | {"etcd": broken})
    with pytest.raises(SandboxError) as refused:
        control.up(home)
    assert str(refused.value) == (
        "etcd has ended (exit code 7) before all parts were ready. Its log ends with:\n  the disk is full\n"
        "All of it: rollout sandbox logs etcd"
    )
    assert processes.none_left(home)
    assert "the disk is full" in rollout(home, "logs", "etcd").stdout


def test_with_istio_its_own_controller_is_a_part(home: Home) -> None:
    told = rollout(home, "up", "--gateway", "istio")
    assert (told.returncode, told.stderr) == (0, "")
    assert {"istiod", "envoy"} <= {found["part"] for found in control.status(home)}
    _await(lambda: "istio" in [item["metadata"]["name"] for item in kubectl(home, "get", "gatewayclass")["items"]], 30)
    other = rollout(home, "up")
    assert other.returncode == 3
    assert other.stderr == "the sandbox is up with --gateway istio; for gke, first: rollout sandbox down\n"


def test_the_relay_is_right_by_its_own_tests() -> None:
    done = subprocess.run(["go", "test", "./relay"], cwd=ROOT / "sandbox/parts", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_needs_no_root_where_user_namespaces_are_allowed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if subprocess.run(["unshare", "--user", "--map-root-user", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no user namespaces")
    state = control.up(home).state
    assert state.rootless
    inside = run_inside(home, ["kubectl", "get", "ns", "-o", "name"], capture_output=True, text=True, check=True)
    assert "namespace/default" in inside.stdout


def _await(seen: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)
