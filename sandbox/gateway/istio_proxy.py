"""The part `envoy` beside istiod: `python -m sandbox.gateway.istio_proxy --home HOME`.

Waits for a Gateway of Istio's class, makes the Service and the pod by which istiod knows its proxy, and runs Envoy for it
until SIGTERM, or until another Gateway takes its place. HOME/run/envoy.ready stands from the start: without a Gateway there is
nothing to serve.
"""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.gateway import istio
from sandbox.gateway.envoy import command, start
from sandbox.gateway.files import GatewayFiles, write_json
from sandbox.gateway.kinds import ENDPOINT_SLICE, GATEWAY, POD, SERVICE
from sandbox.home import Home
from sandbox.nodes.kube import MERGE, Kube, KubeError

log = logging.getLogger("gateway")

APPLY = "application/apply-patch+yaml"
LOOK_SECONDS = 0.5
Gateway = Mapping[str, Any]


class Proxy:
    """Envoy for the oldest Gateway of Istio's class.

    Args:
        home: of the sandbox.
        kube: its API server.
        port: where Envoy is to listen.
    """

    def __init__(self, home: Home, kube: Kube, port: int) -> None:
        self._files, self._kube, self._port = GatewayFiles(home), kube, port
        self._serves: str | None = None
        self._envoy: subprocess.Popen[bytes] | None = None

    def look(self) -> int | None:
        """Start or exchange Envoy where there is another Gateway now; Envoy's exit code where it ended by itself."""
        try:
            gateway = self._oldest()
            if gateway and gateway["metadata"]["uid"] != self._serves:
                self._announce(gateway)
                self.stop()
                self._start(gateway)
        except KubeError as e:
            log.info("gateways: %s", e)  # Envoy goes on with what it has, and all is tried again
        return self._ended()

    def _ended(self) -> int | None:
        return self._envoy.poll() if self._envoy else None

    def _oldest(self) -> Gateway | None:
        found = [g for g in self._kube.get(GATEWAY.collection)["items"] if g["spec"]["gatewayClassName"] == istio.CLASS]
        oldest = min(found, key=lambda g: (g["metadata"]["creationTimestamp"], g["metadata"]["name"]), default=None)
        # The items of a list do not say what they are.
        return None if oldest is None else {"apiVersion": GATEWAY.api_version, "kind": "Gateway", **oldest}

    def _announce(self, gateway: Gateway) -> None:
        """Make what istiod knows its proxy by."""
        namespace, name = gateway["metadata"]["namespace"], istio.workload(gateway)
        self._apply(SERVICE.path(namespace, name), istio.service(gateway, self._port))
        self._apply(ENDPOINT_SLICE.path(namespace, name), istio.endpoints(gateway, self._port))
        self._apply(POD.path(namespace, name), istio.pod(gateway))
        self._kube.patch(f"{POD.path(namespace, name)}/status", {"status": istio.POD_STATUS}, MERGE)

    def _start(self, gateway: Gateway) -> None:
        write_json(self._files.bootstrap, istio.bootstrap(gateway))
        self._envoy, self._serves = start(command(self._files), self._files), gateway["metadata"]["uid"]
        log.info("Envoy serves the Gateway %s", gateway["metadata"]["name"])

    def _apply(self, path: str, manifest: Mapping[str, Any]) -> None:
        query = {"fieldManager": "sandbox-gateway", "force": "true"}
        self._kube.request("PATCH", path, manifest, {"Content-Type": APPLY}, query=query)

    def stop(self) -> None:
        """End Envoy."""
        if self._envoy:
            self._envoy.terminate()
            self._envoy.wait()
            self._envoy = None


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="sandbox.gateway.istio_proxy")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(argv).home)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    state = home.read()
    if state is None:
        print(f"{home.state_file} does not say the gateway's port", file=sys.stderr)  # noqa: T201
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    GatewayFiles(home).make_folders()
    proxy, ready = Proxy(home, Kube(home.kubeconfig), state.ports.gateway), home.ready_file("envoy")
    ready.write_text("ready\n")
    code = None
    while code is None and not stop.wait(LOOK_SECONDS):
        code = proxy.look()
    proxy.stop()
    ready.unlink(missing_ok=True)
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
