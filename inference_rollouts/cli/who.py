"""Who runs a command, for the annotations that it leaves on an object."""

from __future__ import annotations

import getpass
import socket


def who() -> str:
    """USER@HOST: whoever the machine says it is."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return socket.gethostname()
