"""Running a program inside the sandbox: in its network, with its kubeconfig and its programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox import namespaces
from sandbox.home import Home


def command(home: Home, argv: Sequence[str]) -> list[str]:
    """The command that runs argv in the sandbox's network.

    Raises:
        SandboxError: the sandbox is not up.
    """
    state = home.running()
    return [*namespaces.enter(state.pid, state.rootless), *argv]


def environment(home: Home, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment with the sandbox's kubeconfig and programs, and without proxies, which would lead out."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    path = f"{home.bin}:{kept.get('PATH', os.defpath)}"
    own = {"PATH": path, "KUBECONFIG": str(home.kubeconfig), "KUBECACHEDIR": str(home.kube_cache)}
    return kept | own | {"ROLLOUT_SANDBOX_HOME": str(home.root)} | dict(env or {})


def run_inside(
    home: Home, argv: Sequence[str], *, env: Mapping[str, str] | None = None, check: bool = False, **how: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a program inside and wait for it.

    Args:
        home: of the sandbox.
        argv: the program and its arguments.
        env: on top of `environment`.
        check, how: as subprocess.run takes it.

    Raises:
        SandboxError: the sandbox is not up.
    """
    return subprocess.run(command(home, argv), env=environment(home, env), check=check, **how)


def start_inside(home: Home, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **how: Any) -> subprocess.Popen[Any]:
    """Start a program inside and do not wait; as `run_inside` else."""
    return subprocess.Popen(command(home, argv), env=environment(home, env), **how)
