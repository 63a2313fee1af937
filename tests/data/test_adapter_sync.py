"""The adapter sidecar, run as the pod runs it: a process beside a (fake) model server, watched through its endpoints.

What needs no process (syntax, imports, a slow /health) is asked of the module itself, at the end.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.data import adapter_sync
from tests.data.fake_stores import FakeBucket, FakeCdn, FakeHub, FakeMetadata
from tests.data.fake_vllm import FakeServer, FakeVllm

SCRIPT = Path(adapter_sync.__file__)
PATIENCE_SECONDS = 8.0  # far above what any step takes; only a failing test waits that long
POLL_SECONDS = 0.03


def get(url: str, body: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Status and content of an answer: JSON where it is JSON, else text."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=5) as response:
            status, text = response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Wait for what the story says happens next."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.01)


def adapter(name: str, source: str, routed: bool = True) -> dict[str, Any]:
    return {"name": name, "source": source, "routed": routed}


class Pod:
    """The sidecar's process, its mounted list and its shared directory."""

    def __init__(self, root: Path, vllm: FakeVllm) -> None:
        self.root, self.vllm = root, vllm
        self.directory = root / "adapters"
        self.log = root / "log"
        self.env = {
            "ADAPTERS_FILE": str(root / "mount" / "adapters.json"),
            "ADAPTERS_DIR": str(self.directory),
            "SERVER_URL": vllm.url,
            "STATUS_HOST": "127.0.0.1",
            "STATUS_PORT": "0",
            "POLL_SECONDS": str(POLL_SECONDS),
            "UNLOAD_AFTER_SECONDS": "0",
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def in_image(self, name: str) -> str:
        """An adapter that the image brings: a directory with the file vLLM looks for."""
        path = self.root / "image" / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "adapter_config.json").write_text("{}")
        return str(path)

    def mount(self, *adapters: dict[str, Any], text: str | None = None) -> None:
        """Swap the list as the kubelet does: a new directory, and the `..data` link renamed onto it."""
        mount = self.root / "mount"
        version = mount / f"..{time.monotonic_ns()}"
        version.mkdir(parents=True)
        (version / "adapters.json").write_text(json.dumps({"adapters": adapters}) if text is None else text)
        (mount / "..new").symlink_to(version.name)
        (mount / "..new").rename(mount / "..data")
        if not (mount / "adapters.json").is_symlink():
            (mount / "adapters.json").symlink_to("..data/adapters.json")

    def start(self) -> None:
        self.log.touch()
        seen = self.log.stat().st_size
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, str(SCRIPT)], env=self.env, stderr=log, stdout=log)
        pattern = re.compile(r"status on port (\d+)")
        wait_until(lambda: pattern.search(self.log.read_text()[seen:]), "the sidecar answers")
        match = pattern.search(self.log.read_text()[seen:])
        assert match is not None
        self.url = f"http://127.0.0.1:{match[1]}"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def is_ready(self) -> bool:
        return get(f"{self.url}/ready")[0] == 200

    def reason(self) -> str:
        status, body = get(f"{self.url}/ready")
        assert status == 503, "asked for a reason while ready"
        return body["reason"]

    def adapters(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in get(f"{self.url}/adapters")[1]["adapters"]}

    def state(self, name: str) -> str | None:
        return self.adapters().get(name, {}).get("state")

    def error(self, name: str) -> str:
        return self.adapters().get(name, {}).get("error") or ""

    def becomes_ready(self) -> None:
        wait_until(self.is_ready, "the pod is ready")

    def becomes(self, name: str, state: str | None) -> None:
        wait_until(lambda: self.state(name) == state, f"{name} is {state}")

    def loads_of(self, name: str) -> int:
        return sum(json.loads(r.body)["lora_name"] == name for r in self.vllm.asked("/v1/load_lora_adapter"))


@pytest.fixture(autouse=True)
def _no_proxy_for_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def running() -> Iterator[Callable[[FakeServer], Any]]:
    """Starts fakes and stops them after the test."""
    started: list[FakeServer] = []

    def run(server: FakeServer) -> FakeServer:
        started.append(server.start())
        return server

    yield run
    for server in started:
        server.stop()


@pytest.fixture
def vllm(running: Any) -> FakeVllm:
    return running(FakeVllm())


@pytest.fixture
def metadata(running: Any) -> FakeMetadata:
    return running(FakeMetadata())


@pytest.fixture
def bucket(running: Any, metadata: FakeMetadata) -> FakeBucket:
    return running(FakeBucket(metadata))


@pytest.fixture
def hub(running: Any) -> FakeHub:
    return running(FakeHub(running(FakeCdn()), token="hub-secret"))


@pytest.fixture
def pod(tmp_path: Path, vllm: FakeVllm) -> Iterator[Pod]:
    pod = Pod(tmp_path, vllm)
    yield pod
    pod.kill()


@pytest.fixture
def bucket_pod(pod: Pod, bucket: FakeBucket, metadata: FakeMetadata) -> Pod:
    pod.env |= {"STORAGE_EMULATOR_HOST": bucket.address, "GCE_METADATA_HOST": metadata.address}
    return pod


# --- readiness ---


def test_a_pod_is_ready_only_once_every_routed_adapter_is_loaded_and_verified(pod: Pod, vllm: FakeVllm) -> None:
    vllm.stop()
    vllm.hold("llm-v2")
    pod.mount(adapter("llm-v1", pod.in_image("v1")), adapter("llm-v2", pod.in_image("v2")))
    pod.start()
    wait_until(lambda: pod.reason() == "the model server is down", "the reason is the server")

    vllm.start()
    pod.becomes("llm-v1", "loaded")

    assert pod.reason() == "routed adapters not loaded: llm-v2 (waiting)", "one of two is not enough"
    vllm.release("llm-v2")
    pod.becomes_ready()
    assert vllm.loaded == {"llm-v1": pod.in_image("v1"), "llm-v2": pod.in_image("v2")}
    assert get(f"{pod.url}/adapters")[1]["server"] == "up"


def test_an_adapter_without_traffic_never_holds_readiness(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")), adapter("llm-v2", "/nowhere", routed=False))
    pod.start()
    pod.becomes_ready()
    pod.becomes("llm-v2", "failed")
    assert pod.is_ready()


def test_a_list_without_adapters_is_ready_when_the_server_is_up(pod: Pod) -> None:
    pod.mount()
    pod.start()
    pod.becomes_ready()


def test_a_pod_that_serves_stays_ready_whatever_is_added_to_its_list(pod: Pod) -> None:
    first = adapter("llm-v1", pod.in_image("v1"))
    pod.mount(first)
    pod.start()
    pod.becomes_ready()

    broken = [adapter("llm-v3", "/nowhere", routed=False), adapter("llm-v4", "/nowhere"), adapter("llm-v5", "what")]
    pod.mount(first, adapter("llm-v2", pod.in_image("v2"), routed=False), *broken)

    answers: list[bool] = []
    wanted = {"llm-v1": "loaded", "llm-v2": "loaded", "llm-v3": "failed", "llm-v4": "failed", "llm-v5": "failed"}

    def settled() -> bool:
        answers.append(pod.is_ready())
        return {name: row["state"] for name, row in pod.adapters().items()} == wanted

    wait_until(settled, "all five have settled")
    assert all(answers), "a new adapter, good or broken, made a serving pod unready"
    assert "404" in pod.error("llm-v3")
    assert "hf://owner/name@revision" in pod.error("llm-v5")


def test_a_server_restart_opens_the_latch_until_everything_is_loaded_again(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")), adapter("llm-v2", pod.in_image("v2"), routed=False))
    pod.start()
    pod.becomes_ready()
    pod.becomes("llm-v2", "loaded")

    vllm.stop()
    vllm.loaded.clear()
    wait_until(lambda: not pod.is_ready(), "a dead server is not ready")
    assert pod.state("llm-v1") == "waiting"

    vllm.hold("llm-v1")
    vllm.start()
    pod.becomes("llm-v2", "loaded")
    assert not pod.is_ready(), "the routed adapter is still loading"
    vllm.release("llm-v1")
    pod.becomes_ready()
    assert set(vllm.loaded) == {"llm-v1", "llm-v2"}


def test_a_failing_health_answer_counts_as_a_restart(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes_ready()
    vllm.health = 503
    wait_until(lambda: not pod.is_ready(), "503 on /health opens the latch")
    vllm.health = 200
    pod.becomes_ready()
    assert pod.loads_of("llm-v1") == 1, "it was still loaded, so it was only verified again"


def test_a_restart_that_nobody_saw_opens_the_latch_only_for_a_routed_adapter(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")), adapter("llm-v2", pod.in_image("v2"), routed=False))
    pod.start()
    pod.becomes_ready()
    pod.becomes("llm-v2", "loaded")

    del vllm.loaded["llm-v2"]
    wait_until(lambda: pod.loads_of("llm-v2") == 2 and pod.is_ready(), "the unrouted one is loaded again")
    assert "the server lost it" in pod.log.read_text()
    assert pod.log.read_text().count(" ready") == 1, "readiness never moved"

    vllm.hold("llm-v1")
    del vllm.loaded["llm-v1"]
    wait_until(lambda: not pod.is_ready(), "a routed adapter is missing")
    vllm.release("llm-v1")
    pod.becomes_ready()


def test_the_word_of_the_server_is_not_believed_without_the_list_of_models(pod: Pod, vllm: FakeVllm) -> None:
    vllm.forgetful.add("llm-v1")
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes("llm-v1", "failed")
    assert "/v1/models does not list it" in pod.reason()
    vllm.forgetful.clear()
    pod.becomes_ready()


def test_a_server_that_does_not_list_its_models_is_no_news_for_a_serving_pod(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes_ready()
    vllm.models_status = 500
    wait_until(lambda: get(f"{pod.url}/adapters")[1]["errors"]["server"], "the error is shown")
    assert pod.is_ready()
    assert pod.state("llm-v1") == "loaded"


# --- the list ---


def test_before_any_good_list_a_pod_is_not_ready_and_says_why(pod: Pod) -> None:
    pod.start()
    wait_until(lambda: "FileNotFoundError" in pod.reason(), "the missing file is named")
    pod.mount(text='{"adapters": [{"name": "llm-v1", "source": "/x", "routed": "yes"}]}')
    wait_until(lambda: "unusable values" in pod.reason(), "the wrong type is named")
    pod.mount()
    pod.becomes_ready()


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"adapters": null}',
        '{"adapters": ["llm-v1"]}',
        '{"adapters": [{"name": "llm-v1", "source": "/x"}]}',
        '{"adapters": [{"name": "", "source": "/x", "routed": true}]}',
        json.dumps({"adapters": [adapter("llm-v1", "/x"), adapter("llm-v1", "/y")]}),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapters.json").write_text(text)
    monkeypatch.setattr(adapter_sync, "FILE", tmp_path / "adapters.json")
    with pytest.raises(adapter_sync.SyncError, match="wanted is"):
        adapter_sync.read_list()


def test_an_invalid_list_leaves_the_last_good_one_in_force(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes_ready()

    pod.mount(text='{"adapters": [')
    wait_until(lambda: get(f"{pod.url}/adapters")[1]["errors"]["list"], "the error is shown")
    time.sleep(5 * POLL_SECONDS)

    assert pod.is_ready()
    assert pod.state("llm-v1") == "loaded"
    assert set(vllm.loaded) == {"llm-v1"}, "an unreadable list was taken for an empty one"


def test_an_adapter_that_left_the_list_is_unloaded_only_after_the_longest_request(pod: Pod, vllm: FakeVllm) -> None:
    pod.env["UNLOAD_AFTER_SECONDS"] = "1"
    first = adapter("llm-v1", pod.in_image("v1"))
    pod.mount(first, adapter("llm-v2", pod.in_image("v2")))
    pod.start()
    pod.becomes_ready()

    left = time.monotonic()
    pod.mount(first)
    pod.becomes("llm-v2", "unloading")
    wait_until(lambda: "llm-v2" not in vllm.loaded, "it is unloaded in the end")

    assert time.monotonic() - left >= 1, "running requests lost their adapter"
    pod.becomes("llm-v2", None)
    assert pod.is_ready()
    assert set(vllm.loaded) == {"llm-v1"}


def test_an_adapter_that_comes_back_in_time_is_not_unloaded(pod: Pod, vllm: FakeVllm) -> None:
    pod.env["UNLOAD_AFTER_SECONDS"] = "60"
    both = [adapter("llm-v1", pod.in_image("v1")), adapter("llm-v2", pod.in_image("v2"))]
    pod.mount(*both)
    pod.start()
    pod.becomes_ready()
    pod.mount(both[0])
    pod.becomes("llm-v2", "unloading")
    pod.mount(*both)
    pod.becomes("llm-v2", "loaded")
    assert vllm.asked("/v1/unload_lora_adapter") == []
    assert pod.loads_of("llm-v2") == 1


def test_an_adapter_that_leaves_while_it_loads_is_unloaded_in_the_end(pod: Pod, vllm: FakeVllm) -> None:
    vllm.hold("llm-v1")
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    wait_until(lambda: pod.loads_of("llm-v1") == 1, "the load is on its way")
    pod.mount()
    pod.becomes("llm-v1", "unloading")
    vllm.release("llm-v1")
    pod.becomes("llm-v1", None)
    assert len(vllm.asked("/v1/unload_lora_adapter")) == 1
    assert vllm.loaded == {}


def test_only_what_the_list_ever_named_is_unloaded(pod: Pod, vllm: FakeVllm) -> None:
    vllm.loaded["from-arguments"] = "/models/from-arguments"
    pod.mount(adapter("base", pod.in_image("v1"), routed=False), adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes_ready()
    pod.becomes("base", "failed")
    assert "base model" in pod.error("base")

    pod.mount()
    pod.becomes("llm-v1", None)

    unloaded = [json.loads(request.body)["lora_name"] for request in vllm.asked("/v1/unload_lora_adapter")]
    assert unloaded == ["llm-v1"]
    assert set(vllm.loaded) == {"from-arguments"}


def test_a_loaded_adapter_keeps_its_source_and_the_change_is_reported(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes_ready()
    pod.mount(adapter("llm-v1", pod.in_image("other")))
    wait_until(lambda: "a name keeps its source for ever" in pod.error("llm-v1"), "the change is reported")

    row = pod.adapters()["llm-v1"]
    assert (row["state"], row["source"]) == ("loaded", pod.in_image("v1"))
    assert pod.is_ready()
    vllm.restart(down_seconds=0.1)
    wait_until(lambda: vllm.loaded == {"llm-v1": pod.in_image("v1")}, "the same source is loaded again")


def test_the_source_of_an_adapter_that_never_loaded_may_be_corrected(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", "/typo"))
    pod.start()
    pod.becomes("llm-v1", "failed")
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.becomes_ready()
    assert vllm.loaded == {"llm-v1": pod.in_image("v1")}


def test_one_failing_adapter_does_not_stop_the_others(bucket_pod: Pod, bucket: FakeBucket, vllm: FakeVllm) -> None:
    pod = bucket_pod
    bucket.objects |= {"slow/adapter_config.json": b"{}"}
    bucket.hold("slow/adapter_config.json")
    vllm.load_failures["refused"] = 400
    pod.mount(
        adapter("absent", "gs://models/absent"),
        adapter("slow", "gs://models/slow", routed=False),
        adapter("refused", pod.in_image("refused")),
        adapter("no-revision", "hf://acme/llm"),
        adapter("good", pod.in_image("good")),
    )
    pod.start()
    pod.becomes("good", "loaded")
    assert pod.state("slow") == "downloading"
    assert get(f"{pod.url}/healthz")[0] == 200
    for name, words in {"absent": "no files there", "refused": "made to fail", "no-revision": "required"}.items():
        pod.becomes(name, "failed")
        assert words in pod.error(name)
    vllm.load_failures.clear()
    pod.becomes("refused", "loaded")
    assert pod.state("slow") == "downloading"
    bucket.release("slow/adapter_config.json")
    pod.becomes("slow", "loaded")


# --- where adapters come from ---


def test_a_bucket_is_read_page_by_page_with_the_token_of_the_pod(
    bucket_pod: Pod, bucket: FakeBucket, metadata: FakeMetadata, vllm: FakeVllm
) -> None:
    weights = os.urandom(3 << 20)
    wanted = {
        "adapter_config.json": b"{}",
        "adapter_model.safetensors": weights,
        "tokenizer/a b+c.json": b"1",
        "tokenizer/vocab.txt": b"2",
    }
    bucket.objects |= {f"loras/v1/{name}": data for name, data in wanted.items()}
    bucket.objects |= {"loras/v1/": b"", "loras/v1/tokenizer/": b"", "loras/v10/adapter_config.json": b"another"}
    bucket_pod.mount(adapter("team/llm v1", "gs://models/loras/v1"))
    bucket_pod.start()
    bucket_pod.becomes_ready()

    path = Path(vllm.loaded["team/llm v1"])
    found = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert found == wanted
    assert path.parent == bucket_pod.directory, "a name with a slash made a directory of its own"
    assert len(bucket.asked("/storage/v1/b/models/o")) == 3, "six objects, two to a page"
    assert len(metadata.tokens) == 1, "the token is good for an hour and was asked for again"


def test_an_emulator_without_a_metadata_server_is_asked_without_a_token(pod: Pod, running: Any) -> None:
    bucket: FakeBucket = running(FakeBucket(None))
    bucket.objects["v1/adapter_config.json"] = b"{}"
    pod.env["STORAGE_EMULATOR_HOST"] = bucket.url
    pod.mount(adapter("llm-v1", "gs://models/v1/"))
    pod.start()
    pod.becomes_ready()
    assert not any("Authorization" in request.headers for request in bucket.requests)


def test_a_token_close_to_its_expiry_is_not_used_again(bucket_pod: Pod, bucket: FakeBucket, metadata: FakeMetadata) -> None:
    metadata.expires_in = 30
    bucket.objects["v1/adapter_config.json"] = b"{}"
    bucket_pod.mount(adapter("llm-v1", "gs://models/v1"))
    bucket_pod.start()
    bucket_pod.becomes_ready()
    assert len(metadata.tokens) == 2, "one for the list, one for the file"


def test_a_hub_repository_is_read_at_its_revision_and_the_token_stays_there(pod: Pod, hub: FakeHub, vllm: FakeVllm) -> None:
    hub.files = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights", ".gitattributes": b""}
    pod.env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": f"{hub.token}\n"}  # as `echo` into a Secret leaves it
    pod.mount(adapter("llm-v1", "hf://acme/llm@v1"), adapter("llm-v2", "hf://acme/llm@v2", routed=False))
    pod.start()
    pod.becomes_ready()
    pod.becomes("llm-v2", "failed")

    path = Path(vllm.loaded["llm-v1"])
    assert {file.name: file.read_bytes() for file in path.iterdir()} == hub.files
    assert len(hub.asked(f"/acme/llm/resolve/{hub.commit}/adapter_config.json")) == 1, "files come by commit"
    assert len(hub.cdn.requests) == 1
    assert "Authorization" not in hub.cdn.requests[0].headers
    assert "HTTP 404" in pod.error("llm-v2"), "a revision that is not there"
    assert hub.token not in pod.log.read_text() + json.dumps(pod.adapters())


def test_a_path_in_the_image_is_used_as_it_is(pod: Pod, vllm: FakeVllm) -> None:
    path = pod.in_image("v1")
    pod.mount(adapter("llm-v1", path))
    pod.start()
    pod.becomes_ready()
    assert vllm.loaded["llm-v1"] == path
    assert list(pod.directory.iterdir()) == []
    pod.mount()
    pod.becomes("llm-v1", None)
    assert Path(path, "adapter_config.json").exists(), "what the image brought is not ours to remove"


@pytest.mark.parametrize("bad", ["../evil", "a/../../evil", "/etc/evil", "a//evil", "./evil"])
def test_a_file_name_that_leaves_the_directory_is_refused(
    bad: str, bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket.metadata = None
    bucket.objects |= {"v1/adapter_config.json": b"{}", f"v1/{bad}": b"evil"}
    monkeypatch.setattr(adapter_sync, "STORAGE_URL", bucket.url)
    monkeypatch.setattr(adapter_sync, "METADATA_HOST", "")
    monkeypatch.setattr(adapter_sync, "DIRECTORY", tmp_path / "adapters")
    with pytest.raises(adapter_sync.SyncError, match="refused the file name"):
        adapter_sync.fetch("llm-v1", "gs://models/v1")
    assert list(tmp_path.rglob("*")) == [], "something was written before it was refused"


def test_a_hub_file_name_that_leaves_the_directory_is_refused(pod: Pod, hub: FakeHub) -> None:
    hub.files = {"adapter_config.json": b"{}", "../../evil": b"evil"}
    pod.env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token}
    pod.mount(adapter("llm-v1", "hf://acme/llm@v1"))
    pod.start()
    pod.becomes("llm-v1", "failed")
    assert "refused the file name '../../evil'" in pod.error("llm-v1")
    assert list(pod.directory.iterdir()) == []


def test_a_transfer_that_ends_too_early_is_no_adapter(bucket_pod: Pod, bucket: FakeBucket, vllm: FakeVllm) -> None:
    bucket.objects |= {"v1/adapter_config.json": b"{}", "v1/weights": b"1234"}
    bucket.broken.add("v1/weights")
    bucket_pod.mount(adapter("llm-v1", "gs://models/v1"))
    bucket_pod.start()
    bucket_pod.becomes("llm-v1", "failed")
    assert "weights ended after 4 bytes" in bucket_pod.error("llm-v1")
    assert vllm.loaded == {}
    bucket.broken.clear()
    bucket_pod.becomes_ready()


def test_a_crash_leaves_no_half_adapter_behind(bucket_pod: Pod, bucket: FakeBucket, vllm: FakeVllm) -> None:
    pod = bucket_pod
    bucket.objects |= {"v1/adapter_config.json": b"{}", "v1/weights": b"1234"}
    bucket.hold("v1/weights")
    pod.mount(adapter("llm-v1", "gs://models/v1"))
    pod.start()
    wait_until(lambda: bucket.asked("/storage/v1/b/models/o/v1%2Fweights"), "the second file is asked for")
    pod.kill()
    assert [path.name.startswith(".partial-") for path in pod.directory.iterdir()] == [True]

    bucket.release("v1/weights")
    pod.start()
    pod.becomes_ready()
    assert [str(path) for path in pod.directory.iterdir()] == [vllm.loaded["llm-v1"]]


def test_the_files_of_an_unloaded_adapter_free_their_disk(bucket_pod: Pod, bucket: FakeBucket) -> None:
    bucket.objects |= {"v1/adapter_config.json": b"{}"}
    bucket_pod.mount(adapter("llm-v1", "gs://models/v1"))
    bucket_pod.start()
    bucket_pod.becomes_ready()
    bucket_pod.mount()
    bucket_pod.becomes("llm-v1", None)
    wait_until(lambda: list(bucket_pod.directory.iterdir()) == [], "the directory is empty")


# --- the process ---


def test_a_restarted_sidecar_takes_over_what_is_there(bucket_pod: Pod, bucket: FakeBucket, vllm: FakeVllm) -> None:
    pod = bucket_pod
    bucket.objects |= {"v1/adapter_config.json": b"{}"}
    pod.mount(adapter("llm-v1", "gs://models/v1"))
    pod.start()
    pod.becomes_ready()
    pod.kill()
    asked = len(bucket.requests)
    pod.start()
    pod.becomes_ready()
    assert pod.loads_of("llm-v1") == 1, "it was loaded already"

    vllm.restart(down_seconds=0.1)
    wait_until(lambda: "llm-v1" in vllm.loaded, "a server restart loads it from the files that are there")
    assert len(bucket.requests) == asked, "a complete download was not used again"


def test_a_restarted_sidecar_sees_that_a_name_was_loaded_from_another_source(pod: Pod, vllm: FakeVllm) -> None:
    vllm.loaded["llm-v1"] = pod.in_image("old")
    pod.mount(adapter("llm-v1", pod.in_image("new")))
    pod.start()
    pod.becomes("llm-v1", "failed")
    assert "another source" in pod.reason()
    pod.mount()
    pod.becomes("llm-v1", None)
    assert vllm.loaded == {"llm-v1": pod.in_image("old")}, "it was not ours to unload"


def test_an_unload_that_fails_is_shown_and_tried_again(pod: Pod, vllm: FakeVllm) -> None:
    vllm.unload_failures["llm-v1"] = 500
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes_ready()
    pod.mount()
    wait_until(lambda: "made to fail" in pod.error("llm-v1"), "the failure is shown")
    assert pod.state("llm-v1") == "unloading"
    vllm.unload_failures.clear()
    pod.becomes("llm-v1", None)
    assert vllm.loaded == {}
    assert pod.is_ready()


def test_an_adapter_that_is_gone_already_counts_as_unloaded(vllm: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_sync, "SERVER_URL", vllm.url)
    adapter_sync.server_unload("llm-v1")
    assert len(vllm.asked("/v1/unload_lora_adapter")) == 1


def test_a_failing_adapter_is_tried_less_and_less_often(pod: Pod, vllm: FakeVllm) -> None:
    pod.mount(adapter("llm-v1", "/nowhere"))
    pod.start()
    wait_until(lambda: pod.loads_of("llm-v1") == 4, "it is tried four times")
    times = [request.at for request in vllm.asked("/v1/load_lora_adapter")]
    for attempt, (before, after) in enumerate(pairwise(times), start=1):
        assert after - before >= POLL_SECONDS * 2**attempt, "every pause is twice the one before"


def test_sigterm_ends_the_sidecar_at_once_even_within_a_download(bucket_pod: Pod, bucket: FakeBucket) -> None:
    bucket.objects["v1/adapter_config.json"] = b"{}"
    bucket.hold("v1/adapter_config.json")
    bucket_pod.mount(adapter("llm-v1", "gs://models/v1"))
    bucket_pod.start()
    bucket_pod.becomes("llm-v1", "downloading")
    process = bucket_pod.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=1) == 0


def test_the_metrics_say_what_is_loaded(pod: Pod) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")), adapter('odd"name', "/nowhere", routed=False))
    pod.start()
    pod.becomes_ready()
    pod.becomes('odd"name', "failed")
    status, text = get(f"{pod.url}/metrics")
    assert status == 200
    assert 'adapter_sync_loaded{adapter="llm-v1"} 1\n' in text
    assert 'adapter_sync_loaded{adapter="odd\\"name"} 0\n' in text
    assert "adapter_sync_ready 1\n" in text


def test_the_rows_of_adapters_have_exactly_the_keys_that_the_check_reads(pod: Pod) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")))
    pod.start()
    pod.becomes_ready()
    body = get(f"{pod.url}/adapters")[1]
    assert set(body) == {"ready", "server", "errors", "adapters"}
    row = dict(body["adapters"][0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row.pop("since"))
    source = pod.in_image("v1")
    assert row == {"name": "llm-v1", "source": source, "routed": True, "state": "loaded", "error": None}
    assert get(f"{pod.url}/else")[0] == 404


def test_a_steady_pod_logs_nothing(pod: Pod) -> None:
    pod.mount(adapter("llm-v1", pod.in_image("v1")), adapter("llm-v2", "/nowhere", routed=False))
    pod.start()
    pod.becomes_ready()
    pod.becomes("llm-v2", "failed")
    before = pod.log.read_text()
    time.sleep(0.3)
    assert pod.log.read_text() == before, "ten passes and two retries changed nothing, yet something was logged"


# --- the module ---


def test_a_slow_health_answer_is_no_news(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(FakeVllm):
        def answer(self, request: Any) -> Any:
            time.sleep(0.3)
            return super().answer(request)

    slow = running(Slow())
    monkeypatch.setattr(adapter_sync, "SERVER_URL", slow.url)
    monkeypatch.setattr(adapter_sync, "CONTROL_TIMEOUT_SECONDS", 0.1)
    assert adapter_sync.server_up() is None
    slow.stop()
    assert adapter_sync.server_up() is False


def test_a_server_that_comes_up_is_asked_at_once_whatever_failed_before() -> None:
    sync = adapter_sync.Sync()
    sync.adapters["llm-v1"] = late = adapter_sync.Adapter("llm-v1", "/v1", attempts=9, retry_at=float("inf"))
    sync.see_server(True)
    assert (late.attempts, late.retry_at) == (0, 0.0)


def test_a_load_that_finds_the_name_loaded_already_has_done_its_work(vllm: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_sync, "SERVER_URL", vllm.url)
    vllm.loaded["llm-v1"] = "/v1"
    adapter_sync.server_load("llm-v1", "/v1")
    assert len(vllm.asked("/v1/load_lora_adapter")) == 1


def test_a_loop_that_no_longer_passes_fails_its_health_check() -> None:
    sync = adapter_sync.Sync()
    assert sync.answer("/healthz")[0] == 200
    sync.last_pass -= adapter_sync.LONGEST_PASS_SECONDS
    assert sync.answer("/healthz")[0] == 503


def test_two_sources_of_one_name_and_two_names_that_read_alike_have_directories_of_their_own() -> None:
    pairs = [("a/b", "gs://x/1"), ("a-b", "gs://x/1"), ("a/b", "gs://x/2")]
    assert len({adapter_sync.path_of(*pair) for pair in pairs}) == 3


def test_the_script_is_python_3_9_and_imports_only_the_standard_library() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a script from a ConfigMap has no package"
            imported.add((node.module or "").partition(".")[0])
    assert imported <= sys.stdlib_module_names


# --- the fakes ---


def test_the_fake_server_gives_the_statuses_that_were_measured_on_vllm(pod: Pod, vllm: FakeVllm) -> None:
    load, unload = f"{vllm.url}/v1/load_lora_adapter", f"{vllm.url}/v1/unload_lora_adapter"
    body = {"lora_name": "llm-v1", "lora_path": pod.in_image("v1")}
    completion = {"model": "llm-v1", "prompt": "hi"}
    assert "lora_requests_info" not in get(f"{vllm.url}/metrics")[1]
    assert get(f"{vllm.url}/v1/completions", completion)[0] == 404
    assert get(load, body)[0] == 200
    status, answer = get(load, body)
    assert (status, "already been loaded" in answer["error"]["message"]) == (400, True)
    assert get(load, {"lora_name": "llm-v2", "lora_path": "/nowhere"})[0] == 404
    assert get(load, {"lora_name": "llm-v2"})[0] == 400
    assert [card["id"] for card in get(f"{vllm.url}/v1/models")[1]["data"]] == ["base", "llm-v1"]
    assert get(f"{vllm.url}/v1/completions", completion)[0] == 200
    assert "vllm:lora_requests_info" in get(f"{vllm.url}/metrics")[1]
    assert [get(unload, {"lora_name": "llm-v1"})[0] for _ in range(2)] == [200, 404]
    assert get(f"{vllm.url}/health")[0] == 200


def test_the_fake_server_comes_back_on_its_port_without_its_adapters(vllm: FakeVllm) -> None:
    vllm.loaded["llm-v1"] = "/x"
    url = vllm.url
    vllm.stop()
    with pytest.raises(urllib.error.URLError):
        get(f"{url}/health")
    vllm.restart()
    assert vllm.url == url
    assert [card["id"] for card in get(f"{url}/v1/models")[1]["data"]] == ["base"]


def test_the_fake_bucket_pages_and_believes_only_the_metadata_server(bucket: FakeBucket, metadata: FakeMetadata) -> None:
    bucket.objects |= dict.fromkeys(("a", "b", "c"), b"")
    listing = f"{bucket.url}/storage/v1/b/models/o"
    token_url = f"{metadata.url}/computeMetadata/v1/instance/service-accounts/default/token"
    assert get(listing)[0] == 401
    assert get(token_url)[0] == 403
    token = get(token_url, headers={"Metadata-Flavor": "Google"})[1]["access_token"]
    head = {"Authorization": f"Bearer {token}"}
    first = get(listing, headers=head)[1]
    second = get(f"{listing}?pageToken={first['nextPageToken']}", headers=head)[1]
    assert [item["name"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert "nextPageToken" not in second
    assert get(f"{listing}?prefix=z", headers=head)[1] == {}, "Cloud Storage leaves `items` out when there are none"


def test_the_fake_hub_wants_its_token_and_its_cdn_wants_none(hub: FakeHub) -> None:
    hub.files = {"adapter_model.safetensors": b"weights"}
    head = {"Authorization": f"Bearer {hub.token}"}
    assert get(f"{hub.url}/api/models/acme/llm/revision/v1")[0] == 401
    assert get(f"{hub.url}/api/models/acme/llm/revision/v1", headers=head)[1]["sha"] == hub.commit
    file = f"{hub.url}/acme/llm/resolve/{hub.commit}/adapter_model.safetensors"
    assert get(file, headers=head)[0] == 400, "urllib's own redirects show the token to the CDN"
    assert get(f"{hub.cdn.url}/adapter_model.safetensors")[0] == 200
