"""What a new cluster gets before anything else: CRDs, GatewayClasses, and the marker that says it is a sandbox."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.home import MARKER, Home, State

POLL_SECONDS = 0.1

GATEWAY_CONTROLLER = "networking.gke.io/gateway"
GATEWAY_CLASSES = ("gke-l7-regional-external-managed", "gke-l7-rilb")
"""The classes that GKE installs and that take an InferencePool as backend."""


def main(argv: list[str] | None = None) -> None:
    """Run as a part: `python -m sandbox.cluster --home HOME`."""
    parser = argparse.ArgumentParser(prog="sandbox.cluster")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(argv).home)
    # Without validation by kubectl, which would download all schemas first: the API server validates anyway.
    apply = ("apply", "--server-side", "--force-conflicts", "--validate=false", "-f")
    _kubectl(home, *apply, str(home.crds))
    while not _established(_kubectl(home, "get", "crd", "-o", "json")):
        time.sleep(POLL_SECONDS)
    listed = {"apiVersion": "v1", "kind": "List", "items": objects(home.running())}
    _kubectl(home, *apply, "-", stdin=json.dumps(listed))


def objects(state: State) -> list[Mapping[str, Any]]:
    """What is in every sandbox."""
    namespace, name = MARKER
    marker = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name},
        "data": {"id": state.id},
    }
    # With istio, istiod makes its class itself.
    return [marker, *(_gateway_class(name) for name in GATEWAY_CLASSES if state.gateway == "gke")]


def _gateway_class(name: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": GATEWAY_CONTROLLER},
    }


def _established(listed: str) -> bool:
    """Whether the API server serves all CRDs of a list."""
    crds = json.loads(listed)["items"]
    conditions = [{c["type"]: c["status"] for c in (crd.get("status") or {}).get("conditions") or ()} for crd in crds]
    return all(c.get("Established") == "True" for c in conditions)


def _kubectl(home: Home, *args: str, stdin: str | None = None) -> str:
    done = subprocess.run([home.bin / "kubectl", *args], input=stdin, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


if __name__ == "__main__":
    main()
