"""How slow the gateway plays: HOME/gateway/settings.json, read again whenever it changes."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from sandbox.gateway.files import read_json

log = logging.getLogger("gateway")


@dataclass(frozen=True)
class Settings:
    """What can be set while the gateway runs.

    Attributes:
        weight_delay: seconds from a change of routes to its effect (`weightDelay`); about 8 on GKE.
        status_delay: seconds from the effect to the statuses (`statusDelay`); 60 to 120 on GKE.
        health_checks: whether pods are asked for health as the HealthCheckPolicy says (`healthChecks`).
    """

    weight_delay: float = 0
    status_delay: float = 0
    health_checks: bool = True


def parse(document: object) -> Settings:
    """Settings from a JSON document; what is missing has its default.

    Raises:
        ValueError: with the field and what it must be.
    """
    if not isinstance(document, dict):
        raise ValueError("settings.json must hold an object")
    if unknown := sorted(document.keys() - {"weightDelay", "statusDelay", "healthChecks"}):
        raise ValueError(f"settings.json: unknown field {unknown[0]}; it may have weightDelay, statusDelay and healthChecks")
    checks = document.get("healthChecks", True)
    if not isinstance(checks, bool):
        raise ValueError("settings.json: healthChecks must be true or false")
    return Settings(_seconds(document, "weightDelay"), _seconds(document, "statusDelay"), checks)


def _seconds(document: dict[str, object], name: str) -> float:
    value = document.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 3600:
        raise ValueError(f"settings.json: {name} must be seconds from 0 to 3600")
    return float(value)


class SettingsFile:
    """The file, and what it said last; a file that cannot be used leaves the last settings.

    Args:
        path: of the file, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._settings = Settings()

    def read(self) -> Settings:
        """What holds now."""
        try:
            stat = self._path.stat()
        except OSError:
            self._seen, self._settings = None, Settings()
            return self._settings
        if (seen := (stat.st_mtime_ns, stat.st_size)) != self._seen:
            self._seen = seen
            self._take(read_json(self._path))
        return self._settings

    def _take(self, document: object) -> None:
        try:
            self._settings = parse(document)
            log.info("settings: %s", self._settings)
        except ValueError as e:
            log.error("%s; the settings before it stay", e)
