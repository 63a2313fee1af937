"""The processes of a sandbox, as the machine sees them."""

from __future__ import annotations

import time
from pathlib import Path

from sandbox.home import Home


def of(home: Home) -> dict[int, str]:
    """Process number -> command line, of everything that was started for a home."""
    wanted, found = str(home.root).encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, state = (folder / "cmdline").read_bytes(), (folder / "stat").read_text().rpartition(")")[2].split()[0]
            named = wanted in command or wanted in (folder / "environ").read_bytes()
        except OSError:
            continue
        # What asks about the home, as this test does, is no part of it.
        if named and state != "Z" and b"pytest" not in command:
            found[int(folder.name)] = command.replace(b"\0", b" ").decode()
    return found


def none_left(home: Home, seconds: float = 5.0) -> bool:
    """Whether all of them end within some seconds."""
    deadline = time.monotonic() + seconds
    while of(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
