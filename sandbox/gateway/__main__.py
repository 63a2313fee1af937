"""The part `gateway`: `python -m sandbox.gateway --home HOME`. Runs until SIGTERM; ready when HOME/run/gateway.ready stands."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from functools import partial
from pathlib import Path

from sandbox.gateway.admin import Admin
from sandbox.gateway.controller import Controller
from sandbox.gateway.files import GatewayFiles
from sandbox.gateway.kinds import WATCHED
from sandbox.gateway.store import Store
from sandbox.home import Home
from sandbox.nodes.kube import MERGE, Kube


def main(argv: list[str] | None = None) -> None:
    """Watch the cluster and drive Envoy."""
    parser = argparse.ArgumentParser(prog="sandbox.gateway")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(argv).home)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    files = GatewayFiles(home)
    files.make_folders()
    kube, store = Kube(home.kubeconfig), Store(WATCHED)
    for kind in WATCHED:
        kube.watch(kind.collection, partial(store.deliver, kind))
    controller = Controller(store, files, Admin(files.admin), lambda path, body: kube.patch(path, body, MERGE))
    ready = home.ready_file("gateway")
    controller.run(stop, ready.touch)
    ready.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
