"""Where the gateway's files are in the home folder of a sandbox."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.files import replace
from sandbox.home import Home

ADMIN = "envoy-admin.sock"
"""Envoy runs in HOME/run and knows its socket by this name: a socket's path may have 107 bytes, a home's more."""


@dataclass(frozen=True)
class GatewayFiles:
    """The files by which the controller and Envoy talk."""

    home: Home

    @property
    def bootstrap(self) -> Path:
        """Envoy's bootstrap."""
        return self.home.gateway / "bootstrap.json"

    @property
    def clusters(self) -> Path:
        """Envoy's clusters (CDS)."""
        return self.home.gateway / "clusters.json"

    @property
    def routes(self) -> Path:
        """Envoy's routes (RDS)."""
        return self.home.gateway / "routes.json"

    def endpoints(self, cluster: str) -> Path:
        """The endpoints of one cluster (EDS)."""
        return self.home.gateway / "endpoints" / f"{cluster}.json"

    @property
    def settings(self) -> Path:
        """The delays; may be missing, may change at any time."""
        return self.home.gateway / "settings.json"

    @property
    def admin(self) -> Path:
        """Unix socket of Envoy's admin interface."""
        return self.home.run / ADMIN

    def make_folders(self) -> None:
        """Make the folders that are not there yet."""
        for folder in (self.home.gateway / "endpoints", self.home.run, self.home.logs):
            folder.mkdir(parents=True, exist_ok=True)


def write_json(path: Path, document: Any) -> None:
    """Replace a file as a whole: Envoy follows renames, and must never read half a file."""
    replace(path, json.dumps(document, indent=1, sort_keys=True))


def read_json(path: Path) -> Any:
    """The document in a file; None where there is none, or none that can be read."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
