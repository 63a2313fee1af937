"""Faults on purpose, for those who rehearse: each asks the running agent, and returns what was hit.

They work from inside and outside the sandbox. What is said to last, lasts until `clear`.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.nodes.control import socket_path

TIMEOUT = 60.0
Selector = Mapping[str, str]


class FaultError(Exception):
    """The agent did not do it. The text says why."""


def crash_servers(home: Path, selector: Selector, *, again: bool = False, after: float = 1.0) -> list[str]:
    """Kill the model servers of pods with these labels.

    Args:
        home: of the sandbox.
        selector: labels of the pods.
        again: each new run of them too, so many seconds `after` its start, until `clear`.

    Returns:
        The names of the pods.

    Raises:
        FaultError: as all of these.
    """
    return _ask(home, do="kill", kind="crash", role="server", selector=dict(selector), again=again, after=after)


def oom(home: Path, selector: Selector, *, again: bool = False, after: float = 1.0) -> list[str]:
    """As `crash_servers`, but as if they ran out of memory: exit code 137, reason OOMKilled."""
    return _ask(home, do="kill", kind="oom", role="server", selector=dict(selector), again=again, after=after)


def kill_picker(home: Path, pool: str, namespace: str = "default", *, again: bool = False) -> list[str]:
    """Kill the endpoint pickers of an InferencePool; with `again` they stay down until `clear`."""
    return _ask(home, do="kill-picker", pool=pool, namespace=namespace, again=again)


def vanish_nodes(home: Path, pool: str, *, again: bool = False) -> list[str]:
    """The machines of a node pool go without a word: all that runs on them ends at once, and the Nodes are deleted.

    With `again` the cloud has no new ones either, until `clear`. The pods' objects stay until the control plane's garbage
    collector removes them, as on a real cluster.
    """
    return _ask(home, do="vanish", pool=pool, again=again)


def block_readiness(home: Path, selector: Selector) -> list[str]:
    """Model servers of pods with these labels never finish loading, those that start from now on, until `clear`."""
    return _ask(home, do="block", selector=dict(selector))


def clear(home: Path) -> list[str]:
    """End all faults that last; what is in a crash back-off is started at once."""
    return _ask(home, do="clear")


def _ask(home: Path, **request: Any) -> list[str]:
    path = socket_path(home)
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(TIMEOUT)
            door.connect(min(str(path), os.path.relpath(path), key=len))
            door.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(door.makefile().readline())
    except (OSError, ValueError) as e:
        raise FaultError(f"the sandbox's node agent does not answer on {path}: {e}; see: rollout sandbox status") from e
    if "error" in answer:
        raise FaultError(answer["error"])
    return answer["hit"]
