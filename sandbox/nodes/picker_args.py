"""An endpoint picker's command line with private ports: otherwise the container's own.

The picker serves without TLS unless the container's arguments say so: the sandbox's gateway asks it over loopback. Ports and the
config file's path are replaced. The picker of the legacy API (v1alpha2) is not among the sandbox's programs, and the one of
llm-d is played by that of the inference extension, which reads the objects of its own API group only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.nodes.server_args import options

PORTS = {"grpc-port": 9002, "grpc-health-port": 9003, "metrics-port": 9090}
"""Flags of the ports a picker listens on, with their defaults."""

DEFAULTS = {"secure-serving": "false", "enable-pprof": "false", "refresh-metrics-interval": "500ms"}
"""What is added where the container does not say it. A picker asks every pod each 50 ms, for a small machine too often."""

LEGACY_FLAG = "poolName"


@dataclass(frozen=True)
class PickerCommand:
    """A picker to run.

    Attributes:
        args: the container's arguments, but for ports.
        ports: flag -> port that the container listens on.
    """

    args: tuple[str, ...]
    ports: dict[str, int]


def is_picker(words: Sequence[str]) -> bool:
    """Whether a command line starts an endpoint picker, legacy ones too."""
    return bool({"pool-name", LEGACY_FLAG} & {name for name, _ in options(words)})


def is_legacy(words: Sequence[str]) -> bool:
    """Whether it is one of API v1alpha2."""
    return any(name == LEGACY_FLAG for name, _ in options(words))


def picker_command(words: Sequence[str]) -> PickerCommand:
    """The picker of a container's command line."""
    found = dict(options(words))
    ports = {flag: int((found.get(flag) or [str(default)])[0]) for flag, default in PORTS.items()}
    kept = [word for name, values in found.items() if name and name not in PORTS for word in _words(name, values)]
    added = [f"--{name}={value}" for name, value in DEFAULTS.items() if name not in found]
    return PickerCommand((*kept, *added), ports)


def _words(name: str, values: list[str]) -> list[str]:
    # With an equals sign: Go takes no other form for flags that are true or false.
    return [f"--{name}={values[0]}", *values[1:]] if values else [f"--{name}"]
