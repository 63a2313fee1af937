"""A supervisor of parts that a test makes up, without namespaces: `python small_supervisor.py HOME PARTS`, parts as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from sandbox import life, supervisor
from sandbox.home import Home, Ports, State
from sandbox.parts import Part
from sandbox.ready import Check, File, Runs


def part(home: Home, said: dict[str, Any]) -> Part:
    """`file: true`: ready by its file."""
    check: Check = File(home.ready_file(said["name"])) if said.pop("file", False) else Runs()
    argv = ("/bin/sh", "-c", said.pop("script"))
    return Part(
        argv=argv, ready=check, after=tuple(said.pop("after", ())), env={"READY": str(home.ready_file(said["name"]))}, **said
    )


def main() -> None:
    """Run it."""
    home = Home(Path(sys.argv[1]))
    life.START_SECONDS, life.STOP_SECONDS = 1.0, 0.5
    supervisor.parts = lambda home, state: [part(home, said) for said in json.loads(sys.argv[2])]
    for folder in (home.root, home.logs, home.run):
        folder.mkdir(parents=True, exist_ok=True)
    ports = Ports(apiserver=1, gateway=2, prometheus=3)
    state = State(id="small", gateway="gke", rootless=False, ports=ports).running_as(os.getpid())
    home.write(state)
    asyncio.run(supervisor.Supervisor(home, state, []).run())


if __name__ == "__main__":
    main()
