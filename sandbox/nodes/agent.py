"""The node agent: plays the kubelets of all nodes, and the cloud's autoscaler. `python -m sandbox.nodes.agent --home HOME`.

Ready when HOME/run/node-agent.ready is there. Processes end with the agent, however it ends; a new one starts them anew, and they
count as restarted. All state but that is in the API server.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.home import Home
from sandbox.nodes import control, store
from sandbox.nodes.faulting import Faulting
from sandbox.nodes.host import Host
from sandbox.nodes.kube import Kube, Object
from sandbox.nodes.kubelet import Kubelet
from sandbox.nodes.launch import Tools
from sandbox.nodes.pools import SYSTEM_POOL
from sandbox.nodes.provision import NodePools
from sandbox.nodes.records import Records
from sandbox.nodes.scaling import scale_for_ever
from sandbox.nodes.settings import SettingsFile
from sandbox.nodes.standing import Faults

log = logging.getLogger("agent")

NAME = "node-agent"
THREADS = 48
"""Each pod may wait for the API server in one; they are idle otherwise."""
MONITORINGS = "/apis/monitoring.googleapis.com/v1/podmonitorings"


def host_of(home: Home) -> Host:
    """The host of a sandbox."""
    return Host(
        kube=Kube(home.kubeconfig),
        kubeconfig=home.kubeconfig,
        folder=home.root / "nodes" / "pods",
        logs=home.logs / "pods",
        tools=Tools(home.bin, store.serve()),
        settings=SettingsFile(home.root / "nodes.json"),
        faults=Faults(home.root / "nodes" / "faults.json"),
    )


async def run(home: Home) -> None:
    """Play until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host = host_of(home)
    kubelet = Kubelet(host)
    records = Records(home.root, home.prometheus, kubelet, host)
    door = await control.serve(home.root, Faulting(kubelet, host).handle)
    _watch(host, kubelet, records, loop)
    await kubelet.synced.wait()
    helpers = [asyncio.create_task(records.write_for_ever()), asyncio.create_task(scale_for_ever(kubelet, host))]
    await asyncio.to_thread(host.kube.patiently, lambda: _system_pool(host.kube))
    home.run.mkdir(parents=True, exist_ok=True)
    home.ready_file(NAME).touch()
    log.info("ready")
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopping, *helpers], return_when=asyncio.FIRST_COMPLETED)
    door.close()
    await kubelet.end_all()
    home.ready_file(NAME).unlink(missing_ok=True)
    for task in done - {stopping}:
        task.result()


def _system_pool(kube: Kube) -> None:
    """The nodes that a cluster has from the start."""
    pools = NodePools(kube)
    if SYSTEM_POOL["name"] not in pools.read():
        pools.apply(SYSTEM_POOL)


def _watch(host: Host, kubelet: Kubelet, records: Records, loop: asyncio.AbstractEventLoop) -> None:
    """Bring what the watches deliver, in their threads, into the loop's."""

    def watch(path: str, take) -> None:
        def deliver(event: str, found: Object) -> None:
            loop.call_soon_threadsafe(take, event, found)

        host.kube.watch(path, deliver)

    watch("/api/v1/configmaps", kubelet.take_config_map)
    watch("/api/v1/nodes", kubelet.take_node)
    watch("/api/v1/pods", kubelet.take_pod)
    watch(MONITORINGS, records.take_monitoring)


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.nodes.agent", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="folder of the sandbox")
    home = Home(parser.parse_args(argv).home.absolute())
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(run(home))
    return 0


if __name__ == "__main__":
    sys.exit(main())
