"""From a container of the real program's pods to the process that stands for it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from inference_rollouts.manifests.endpoint_picker import EndpointPickerArgs
from inference_rollouts.manifests.endpoint_picker import command_args as picker_args
from inference_rollouts.rehearsal.program import run
from sandbox.home import Home
from sandbox.nodes import server_args
from sandbox.nodes.launch import Launch, Place, Ports, Role, Tools, launch, role_of
from sandbox.nodes.picker_args import picker_command
from sandbox.nodes.server_args import server_command
from sandbox.nodes.settings import ServerSettings
from tests.conftest import ROOT, example

SETTINGS = ServerSettings(load_seconds=3, first_token_seconds=0.1, token_seconds=0.005)
VLLM = ["python3", "-m", "vllm.entrypoints.openai.api_server"]


@cache
def containers(stack: str) -> dict[str, Mapping[str, Any]]:
    """Containers of all pods that the real program registers, by pod and name."""
    recording = run(ROOT, stack, example(stack))
    found = {}
    for r in recording.resources.values():
        if r.type == "kubernetes:apps/v1:Deployment":
            spec = r.inputs["spec"]["template"]["spec"]
            for container in [*spec.get("initContainers", ()), *spec["containers"]]:
                found[f"{r.inputs['metadata']['name']}/{container['name']}"] = container
    return found


def launched(container: Mapping[str, Any], env: Mapping[str, str], folder: Path) -> Launch:
    counter = itertools.count(20000)
    place = Place(
        name="llm-0",
        namespace="default",
        ip="10.77.3.1",
        folder=folder,
        paths={m["mountPath"]: folder / m["name"] for m in container.get("volumeMounts", ())},
        kubeconfig=folder / "kubeconfig",
        ports=Ports(lambda: next(counter)),
    )
    return launch(container, env, place, Tools(Path("/bin-of-sandbox"), "http://127.0.0.1:9"), SETTINGS)


def test_each_container_of_the_adapter_stack_has_its_role() -> None:
    roles: dict[str, Role] = {name: role_of(container) for name, container in containers("lora-adapter").items()}

    assert roles == {"llm-pool/adapter-sync": "sidecar", "llm-pool/server": "server", "llm-pool-epp/epp": "picker"}


def test_the_server_becomes_a_simulator_with_the_same_names_and_capacity(tmp_path: Path) -> None:
    made = launched(containers("lora-adapter")["llm-pool/server"], {"A": "1"}, tmp_path)

    text = " ".join(made.argv)
    assert made.argv[0] == "/bin-of-sandbox/llm-d-inference-sim"
    assert "--model meta-llama/Llama-3.1-8B-Instruct" in text
    assert "--served-model-name llama-3.1-8b" in text
    assert "--max-loras 4" in text
    assert "--force-dummy-tokenizer --port=20000 --time-to-first-token=100ms --inter-token-latency=5ms" in text
    assert not any(flag in text for flag in ("tensor-parallel-size", "shutdown-timeout", "enable-lora", "max-lora-rank"))
    assert (made.relays, made.shutdown_timeout, made.load_seconds) == ((8000,), 300.0, 3)
    assert {"POD_NAME": "llm-0", "POD_NAMESPACE": "default", "POD_IP": "10.77.3.1", "A": "1"}.items() <= made.env.items()


def test_the_picker_keeps_its_arguments_and_gets_ports_config_and_the_pods_own_rights(tmp_path: Path) -> None:
    container = containers("lora-adapter")["llm-pool-epp/epp"]

    made = launched(container, {}, tmp_path)

    flags = dict(word.removeprefix("--").split("=", 1) for word in made.argv[1:])
    assert flags["pool-name"] == "llm-pool"
    assert flags["config-file"] == f"{tmp_path}/config/default-plugins.yaml"
    assert flags["metrics-endpoint-auth"] == "false"
    assert (flags["grpc-port"], flags["grpc-health-port"], flags["metrics-port"]) == ("20000", "20001", "20002")
    assert flags["secure-serving"] == "false"
    assert made.relays == (9002, 9003, 9090)
    assert made.env["KUBECONFIG"] == f"{tmp_path}/kubeconfig"


def test_the_sidecar_is_the_pods_own_script_pointed_to_where_things_are(tmp_path: Path) -> None:
    container = containers("lora-adapter")["llm-pool/adapter-sync"]
    env = {item["name"]: item["value"] for item in container["env"]}

    made = launched(container, env, tmp_path)

    assert made.argv == (sys.executable, "-I", "-S", "-u", f"{tmp_path}/adapter-sync/adapter_sync.py")
    assert made.env["ADAPTERS_FILE"] == f"{tmp_path}/adapter-list/adapters.json"
    assert made.env["ADAPTERS_DIR"] == f"{tmp_path}/adapters"
    assert made.env["SERVER_URL"] == "http://127.0.0.1:20000"
    assert made.env["STATUS_HOST"] == "10.77.3.1"
    assert made.env["STATUS_PORT"] == "8081"
    assert made.env["STORAGE_EMULATOR_HOST"] == made.env["HF_ENDPOINT"] == "http://127.0.0.1:9"
    assert made.relays == ()


def test_a_pickers_own_ports_and_tls_are_respected() -> None:
    found = picker_command(["--pool-name", "a", "--grpc-port=9100", "--secure-serving=true"])

    assert found.ports["grpc-port"] == 9100
    assert "--secure-serving=true" in found.args
    assert "--secure-serving=false" not in found.args
    assert not any("grpc-port" in word for word in found.args)


def test_the_legacy_picker_is_refused_in_words(tmp_path: Path) -> None:
    args = picker_args(EndpointPickerArgs(name="a-epp", namespace="default", pool="a", api="v1alpha2"))

    made = launched({"name": "epp", "image": "epp:v0.5.1", "args": args}, {}, tmp_path)

    assert made.role == "picker"
    assert "v1alpha2" in made.refused


def test_what_is_neither_is_pretended(tmp_path: Path) -> None:
    container = {"name": "proxy", "image": "nginx", "command": ["nginx"]}

    assert role_of(container) == "pretended"
    assert launched(container, {}, tmp_path) == Launch("pretended")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([*VLLM, "--model=m"], ["--model", "m"]),
        (["vllm", "serve", "org/m", "--served-model-name", "a", "b"], ["--served-model-name", "a", "b", "--model", "org/m"]),
        (["python3", "-m", "sglang.launch_server", "--model-path", "m", "--tp", "2"], ["--model", "m"]),
        ([*VLLM, "--model", "m", "--max_loras", "2", "-tp", "8"], ["--model", "m", "--max-loras", "2"]),
        ([*VLLM, "--model", "m", "--max-model-len", "32k"], ["--model", "m", "--max-model-len", "32000"]),
        ([*VLLM, "--model", "m", "--max-model-len", "-1"], ["--model", "m", "--max-model-len", "32768"]),
        ([*VLLM, "--model", "m", "--max-num-seqs", "8"], ["--model", "m", "--max-num-seqs", "8"]),
    ],
)
def test_servers_command_lines(words: list[str], wanted: list[str]) -> None:
    args = list(server_command(words).args)

    added = [word for name, value in server_args.DEFAULTS.items() if f"--{name}" not in wanted for word in (f"--{name}", value)]
    assert args == [*added, *wanted]


def test_adapters_in_vllms_short_form_become_json() -> None:
    args = server_command([*VLLM, "--model", "m", "--lora-modules", "a=/adapters/a", '{"name": "b", "path": "/b"}']).args

    assert [json.loads(word)["name"] for word in args if word.startswith("{")] == ["a", "b"]


def test_a_server_without_shutdown_timeout_cuts_requests_off() -> None:
    assert server_command([*VLLM, "--model", "m"]).shutdown_timeout == 0


@pytest.mark.sandbox
def test_the_simulator_knows_every_flag_that_is_passed_on(shared_home: Home) -> None:
    done = subprocess.run([shared_home.bin / "llm-d-inference-sim", "--help"], capture_output=True, text=True, check=False)

    assert [flag for flag in server_args.PASSED_ON if f"--{flag} " not in done.stdout + done.stderr] == []
