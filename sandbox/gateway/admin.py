"""What Envoy says of itself, over its admin interface on a Unix socket."""

from __future__ import annotations

import http.client
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sandbox.gateway.bootstrap import ROUTES

SECONDS = 2.0
_RDS = f"http.{ROUTES}.rds.{ROUTES}"
_WANTED = (
    rf"^(cluster_manager\.cds|http\.{ROUTES}\.rds\.{ROUTES})\.(version_text|update_rejected)$|^cluster_manager\.warming_clusters$"
)


@dataclass(frozen=True)
class Standing:
    """Which configuration Envoy works with.

    Attributes:
        clusters, routes: version of each; empty before the first.
        warming: clusters that are not ready yet.
        rejected: how many configurations it refused since it started.
    """

    clusters: str
    routes: str
    warming: int
    rejected: int


class Admin:
    """Envoy's admin interface.

    Args:
        path: of its Unix socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def ready(self) -> bool:
        """Whether it has all that it needs to serve."""
        try:
            return self._get("/ready").strip() == "LIVE"
        except (OSError, http.client.HTTPException):
            return False

    def standing(self) -> Standing | None:
        """What it works with; None while it cannot be asked."""
        try:
            text = self._get(f"/stats?filter={quote(_WANTED)}")
        except (OSError, http.client.HTTPException):
            return None
        values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        return Standing(
            clusters=values.get("cluster_manager.cds.version_text", "").strip('"'),
            routes=values.get(f"{_RDS}.version_text", "").strip('"'),
            warming=int(values.get("cluster_manager.warming_clusters", 0)),
            rejected=sum(int(values.get(f"{at}.update_rejected", 0)) for at in ("cluster_manager.cds", _RDS)),
        )

    def _get(self, path: str) -> str:
        connection = _UnixConnection(self._path)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        # By way of the open folder: the path itself may be longer than a socket's may be.
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)
