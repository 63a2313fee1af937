"""A model server's command line as one of llm-d-inference-sim's.

What the simulator knows under the same name is passed on; what it does not know is dropped, and these are acted on here:

| vLLM (or SGLang) | here |
|---|---|
| `vllm serve MODEL`, `--model-path MODEL` | `--model MODEL` |
| `--port` (default 8000) | a private port, to which `podIP:PORT` is relayed |
| `--host`, `--enable-lora`, `--max-lora-rank`, `--tensor-parallel-size`, … | dropped: they change nothing that a client sees |
| `--lora-modules name=path` | its JSON form |
| `--max-model-len 32k` | the number |
| no `--max-num-seqs`, no `--max-model-len` | 256 and 32768: the simulator's own defaults (5 and 1024) are far below vLLM's |
| `--shutdown-timeout N` | seconds for which the agent lets running requests end; without it they are cut off, as vLLM does |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PASSED_ON = frozenset(
    {
        "model",
        "served-model-name",
        "lora-modules",
        "max-loras",
        "max-cpu-loras",
        "max-model-len",
        "max-num-seqs",
        "seed",
        "block-size",
        "enable-request-id-headers",
        "enable-sleep-mode",
    }
)
"""Flags that mean the same to both; llm-d-inference-sim v0.10.2."""

RENAMED = {"model-path": "model", "lora-paths": "lora-modules"}
DEFAULTS = {"max-num-seqs": "256", "max-model-len": "32768"}
COUNTS = {"k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}
DEFAULT_PORT = 8000


@dataclass(frozen=True)
class ServerCommand:
    """A model server to simulate.

    Attributes:
        args: arguments for the simulator, but for port and latencies.
        port: where the container listens.
        shutdown_timeout: seconds that running requests get after SIGTERM.
    """

    args: tuple[str, ...]
    port: int
    shutdown_timeout: float


def is_server(words: Sequence[str]) -> bool:
    """Whether a container's command line (command and args) starts a model server."""
    named = any("vllm.entrypoints" in word or "sglang.launch_server" in word for word in words)
    flags = {name for name, _ in options(words)}
    return named or bool({"model", "model-path"} & flags) or (len(words) > 1 and tuple(words[:2]) == ("vllm", "serve"))


def options(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Flags with their values, names with dashes; what stands before the first flag comes under an empty name."""
    name, values = "", list[str]()
    for word in words:
        if re.fullmatch(r"--?[A-Za-z].*", word) and not re.fullmatch(r"-m", word):
            yield name, values
            flag, equals, value = word.lstrip("-").partition("=")
            name, values = flag.replace("_", "-"), [value] if equals else []
        else:
            values.append(word)
    yield name, values


def server_command(words: Sequence[str]) -> ServerCommand:
    """The simulator's command line for a container's (command and args)."""
    found = {RENAMED.get(name, name): values for name, values in options(words)}
    start = found.pop("", [])
    if start[:2] == ["vllm", "serve"] and len(start) > 2:
        found.setdefault("model", start[2:3])
    port = int((found.get("port") or [str(DEFAULT_PORT)])[0])
    timeout = float((found.get("shutdown-timeout") or ["0"])[0])
    kept = {name: _values(name, values) for name, values in found.items() if name in PASSED_ON}
    kept = {name: [value] for name, value in DEFAULTS.items() if name not in kept} | kept
    return ServerCommand(tuple(word for name, values in kept.items() for word in (f"--{name}", *values)), port, timeout)


def _values(name: str, values: list[str]) -> list[str]:
    if name == "lora-modules":
        return [_module(value) for value in values]
    return [_count(value, DEFAULTS[name]) for value in values] if name in DEFAULTS else values


def _module(text: str) -> str:
    if text.startswith("{"):
        return text
    name, _, path = text.partition("=")
    return json.dumps({"name": name, "path": path or name})


def _count(text: str, default: str) -> str:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgKMG])", text)
    if found:
        return str(int(float(found[1]) * COUNTS[found[2]]))
    return text if text.isdigit() else default  # auto, -1
