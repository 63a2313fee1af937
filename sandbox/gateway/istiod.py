"""The part `istiod`: `python -m sandbox.gateway.istiod --home HOME`. Becomes istiod; ready when `istio.READY_URL` answers."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sandbox.gateway import istio
from sandbox.home import Home
from sandbox.nodes.kube import Kube, KubeError


def main(argv: list[str] | None = None) -> None:
    """Make what istiod expects to find, and become it."""
    parser = argparse.ArgumentParser(prog="sandbox.gateway.istiod")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(argv).home)
    home.gateway.mkdir(parents=True, exist_ok=True)
    (home.gateway / "mesh.json").write_text(istio.mesh())
    kube = Kube(home.kubeconfig)
    kube.patiently(lambda: _make_namespace(kube))
    command = istio.istiod_argv(home)
    os.execve(command[0], command, dict(os.environ) | istio.istiod_environment(home))


def _make_namespace(kube: Kube) -> None:
    try:
        kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": istio.NAMESPACE}})
    except KubeError as e:
        if e.status != 409:
            raise


if __name__ == "__main__":
    main()
