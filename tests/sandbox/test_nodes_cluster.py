"""Nodes and pods on a running sandbox: what the real program registers for the adapter stack, on real parts."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from inference_rollouts.rehearsal.program import run
from sandbox import control
from sandbox.enter import run_inside, start_inside
from sandbox.home import Home
from sandbox.nodes import faults
from sandbox.nodes.kube import Kube, KubeError
from sandbox.nodes.provision import NodePools
from sandbox.nodes.records import pods_file
from sandbox.nodes.settings import configure
from tests.conftest import ROOT, example

pytestmark = pytest.mark.sandbox

Answer = TypeVar("Answer")
PATIENCE = 120.0
APP = {"app": "llm-pool"}
PODS = "/api/v1/namespaces/default/pods"
NODE_POOL = "gcp:container/nodePool:NodePool"


class World:
    """The stack on the sandbox."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.kube = Kube(home.kubeconfig)
        self.pools = NodePools(self.kube)
        registered = run(ROOT, "lora-adapter", example("lora-adapter")).resources.values()
        self.node_pools = [r.inputs for r in registered if r.type == NODE_POOL]
        self.objects = [r.inputs for r in registered if r.type.startswith("kubernetes:") and r.custom]

    def kubectl(self, *args: str, stdin: Any = None) -> str:
        words = [str(self.home.bin / "kubectl"), f"--kubeconfig={self.home.kubeconfig}", *args]
        text = None if stdin is None else json.dumps(stdin)
        return subprocess.run(words, input=text, text=True, check=True, capture_output=True).stdout

    def pods(self) -> list[dict[str, Any]]:
        """Those of the model server that are not being deleted."""
        found = self.kube.get(PODS, labelSelector="app=llm-pool")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, count: int) -> list[dict[str, Any]]:
        """All of them, once there are so many, all are ready, and none is on its way out."""
        found = self.kube.get(PODS, labelSelector="app=llm-pool")["items"]
        return found if len(found) == count and all(is_ready(pod) for pod in found) else []

    def get(self, url: str) -> Any:
        """A GET from inside; JSON, or None where nobody answers."""
        done = run_inside(self.home, ["curl", "-sf", "--max-time", "5", url], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None


def is_ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or ())


def server_status(pod: dict[str, Any]) -> dict[str, Any]:
    return pod["status"]["containerStatuses"][0]


def surviving(world: World, pods: list[dict[str, Any]]) -> set[str]:
    """UIDs of those that still stand."""
    return {pod["metadata"]["uid"] for pod in world.pods()} & {pod["metadata"]["uid"] for pod in pods}


def eventually(ask: Callable[[], Answer], patience: float = PATIENCE) -> Answer:
    deadline = time.monotonic() + patience
    while not (answer := ask()):
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.2)
    return answer


@pytest.fixture(scope="module")
def world(session_home: Home) -> Iterator[World]:
    control.up(session_home)
    found = World(session_home)
    configure(session_home.root, preStopSeconds=1, tokenSeconds=0.02)
    for inputs in found.node_pools:
        found.pools.apply(inputs)
    listed = {"apiVersion": "v1", "kind": "List", "items": found.objects}
    found.kubectl("apply", "--server-side", "-f", "-", stdin=listed)
    yield found
    control.up(session_home)
    faults.clear(session_home.root)
    found.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=listed)
    for inputs in found.node_pools:
        found.pools.delete(inputs)
    (session_home.root / "nodes.json").unlink(missing_ok=True)


@pytest.fixture
def pods(world: World, shared_home: Home) -> list[dict[str, Any]]:
    """The three servers, ready; where a test took one away the next waits until it is back."""
    assert shared_home is world.home, "it is repaired before anybody waits"
    return eventually(lambda: world.ready(3))


def test_servers_run_on_the_nodes_of_their_pool_and_hold_the_stacks_adapters(world: World, pods: list[dict[str, Any]]) -> None:
    for pod in pods:
        assert pod["spec"]["nodeName"].startswith("gke-llm-pool-us-central1-a-")
        listed = world.get(f"http://{pod['status']['podIP']}:8000/v1/models")
        assert {card["id"] for card in listed["data"]} == {"llama-3.1-8b", "llm-v1", "llm-v2"}


def test_the_picker_sees_its_pool_with_no_more_rights_than_its_role_gives(world: World, pods: list[dict[str, Any]]) -> None:
    assert pods
    picker = eventually(
        lambda: [p for p in world.kube.get(PODS, labelSelector="inferencepool=llm-pool-epp")["items"] if is_ready(p)]
    )[0]

    def seen() -> bool:
        text = run_inside(
            world.home, ["curl", "-sf", f"http://{picker['status']['podIP']}:9090/metrics"], capture_output=True, text=True
        ).stdout
        return 'inference_pool_ready_pods{name="llm-pool"} 3' in text

    eventually(seen)
    own = Kube(world.home.root / "nodes" / "pods" / picker["metadata"]["uid"] / "kubeconfig")
    assert own.get(PODS)["items"]
    with pytest.raises(KubeError, match="HTTP 403"):
        own.get("/api/v1/namespaces/default/secrets")


def test_what_is_written_down_is_what_runs(world: World, pods: list[dict[str, Any]]) -> None:
    def scraped() -> set[str]:
        entries = json.loads((world.home.prometheus / "targets.json").read_text())
        return {entry["targets"][0] for entry in entries if entry["labels"]["job"] == "llm-pool"}

    eventually(lambda: scraped() == {f"{pod['status']['podIP']}:8000" for pod in pods})
    rows = json.loads(pods_file(world.home.root).read_text())["pods"]
    assert {f"default/{pod['metadata']['name']}" for pod in pods} <= rows.keys()


def test_a_changed_adapter_list_reaches_the_pods_and_restarts_nothing(world: World, pods: list[dict[str, Any]]) -> None:
    source = world.kube.get("/api/v1/namespaces/default/configmaps/llm-pool-adapters")["data"]["adapters.json"]
    longer = json.loads(source)
    longer["adapters"].append({"name": "llm-v3", "source": "hf://acme/llm@v3", "routed": False})
    patch = json.dumps({"data": {"adapters.json": json.dumps(longer)}})
    world.kubectl("patch", "configmap", "llm-pool-adapters", "--type=merge", "-p", patch)

    def loaded(pod: dict[str, Any]) -> bool:
        rows = (world.get(f"http://{pod['status']['podIP']}:8081/adapters") or {"adapters": []})["adapters"]
        return {row["name"] for row in rows if row["state"] == "loaded"} == {"llm-v1", "llm-v2", "llm-v3"}

    eventually(lambda: all(loaded(pod) for pod in pods))
    assert {p["metadata"]["uid"]: server_status(p)["restartCount"] for p in world.pods()} == {
        p["metadata"]["uid"]: server_status(p)["restartCount"] for p in pods
    }
    world.kubectl(
        "patch", "configmap", "llm-pool-adapters", "--type=merge", "-p", json.dumps({"data": {"adapters.json": source}})
    )


def test_a_request_that_runs_when_its_pod_is_deleted_ends_whole(world: World, pods: list[dict[str, Any]], tmp_path: Path) -> None:
    pod = pods[0]
    tokens = 300  # at 20 ms: 6 s, far longer than preStop
    body = {"model": "llm-v1", "prompt": "hi", "max_tokens": tokens, "ignore_eos": True, "stream": True}
    url = f"http://{pod['status']['podIP']}:8000/v1/completions"
    out = tmp_path / "stream"
    argv = ["curl", "-sfN", "-H", "content-type: application/json", "-d", json.dumps(body), "-o", str(out), url]
    with start_inside(world.home, argv) as stream:
        eventually(lambda: out.exists() and out.stat().st_size > 0)
        world.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
        assert stream.wait(60) == 0, "the stream did not finish"

    text = out.read_text()
    assert text.rstrip().endswith("data: [DONE]")
    assert text.count("data: ") >= tokens
    uids = {p["metadata"]["uid"] for p in eventually(lambda: world.ready(3))}
    assert pod["metadata"]["uid"] not in uids


def test_servers_that_run_out_of_memory_say_so_until_it_is_over(world: World, pods: list[dict[str, Any]]) -> None:
    hit = faults.oom(world.home.root, APP, again=True, after=0.1)

    assert hit == sorted(pod["metadata"]["name"] for pod in pods)

    def looping() -> bool:
        states = [server_status(pod)["state"].get("waiting", {}).get("reason") for pod in world.pods()]
        return states == ["CrashLoopBackOff"] * 3

    eventually(looping)
    ended = server_status(world.pods()[0])["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert not any(is_ready(pod) for pod in world.pods())
    assert faults.clear(world.home.root) == ["oom {'app': 'llm-pool'}"]
    assert eventually(lambda: world.ready(3))


def test_a_picker_stays_down_until_the_fault_is_cleared(world: World, pods: list[dict[str, Any]]) -> None:
    assert pods
    selector = "inferencepool=llm-pool-epp"
    assert len(faults.kill_picker(world.home.root, "llm-pool", again=True)) == 1

    eventually(lambda: not any(is_ready(pod) for pod in world.kube.get(PODS, labelSelector=selector)["items"]))
    faults.clear(world.home.root)
    eventually(lambda: all(is_ready(pod) for pod in world.kube.get(PODS, labelSelector=selector)["items"]))


def test_a_server_that_never_loads_keeps_its_pod_unready(world: World, pods: list[dict[str, Any]]) -> None:
    faults.block_readiness(world.home.root, APP)
    world.kubectl("delete", "pod", pods[0]["metadata"]["name"], "--wait=false")
    new = eventually(lambda: [p for p in world.pods() if p["metadata"]["uid"] not in {q["metadata"]["uid"] for q in pods}])[0]

    time.sleep(3)
    state = next(p for p in world.pods() if p["metadata"]["uid"] == new["metadata"]["uid"])
    assert not is_ready(state)
    faults.clear(world.home.root)
    assert eventually(lambda: world.ready(3))


def test_pods_without_room_wait_and_the_scheduler_says_why(world: World, pods: list[dict[str, Any]]) -> None:
    assert pods
    world.kubectl("scale", "deployment", "llm-pool", "--replicas=6")

    def refused() -> list[str]:
        said = [c for pod in world.pods() for c in pod["status"].get("conditions") or () if c.get("reason") == "Unschedulable"]
        return [c["message"] for c in said]

    # Four nodes at most: as many pods run, two wait.
    eventually(lambda: len(refused()) == 2 and sum(is_ready(pod) for pod in world.pods()) == 4)
    assert "Insufficient nvidia.com/gpu" in refused()[0]
    world.kubectl("scale", "deployment", "llm-pool", "--replicas=3")
    assert eventually(lambda: world.ready(3))


def test_a_rolling_update_goes_on_after_the_api_server_was_away(world: World, pods: list[dict[str, Any]]) -> None:
    world.kubectl("set", "env", "deployment/llm-pool", "-c=server", "TRIED=1")
    eventually(lambda: len(world.pods()) > 3)
    control.restart(world.home, "kube-apiserver", signal.SIGKILL)

    new = eventually(lambda: world.ready(3) if not surviving(world, pods) else [])
    assert all(server_status(pod)["restartCount"] == 0 for pod in new)


def test_a_new_agent_starts_all_pods_anew_and_leaves_no_process_of_the_old_one(world: World, pods: list[dict[str, Any]]) -> None:
    before = {pod["metadata"]["name"]: server_status(pod)["restartCount"] for pod in pods}

    control.restart(world.home, "node-agent", signal.SIGKILL)

    def again() -> bool:
        found = world.ready(3)
        after = {pod["metadata"]["name"]: server_status(pod)["restartCount"] for pod in found}
        return after == {name: count + 1 for name, count in before.items()}

    eventually(again)
    simulators = subprocess.run(
        ["pgrep", "-fc", f"^{world.home.bin}/llm-d-inference-sim"], capture_output=True, text=True, check=False
    )
    assert int(simulators.stdout) == 3
    assert server_status(world.pods()[0])["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"


def test_nodes_that_vanish_take_their_servers_along_at_once(world: World, pods: list[dict[str, Any]]) -> None:
    vanished = faults.vanish_nodes(world.home.root, "llm-pool", again=True)

    assert {pod["spec"]["nodeName"] for pod in pods} <= set(vanished)
    assert not world.pools.nodes("llm-pool")
    assert world.get(f"http://{pods[0]['status']['podIP']}:8000/v1/models") is None
    assert faults.clear(world.home.root) == ["no machines for llm-pool"]
    # The control plane would collect their objects after a minute.
    for pod in pods:
        world.kube.delete(f"{PODS}/{pod['metadata']['name']}", grace=0)
    back = eventually(lambda: world.ready(3))
    assert not {pod["status"]["podIP"] for pod in back} & {pod["status"]["podIP"] for pod in pods}
