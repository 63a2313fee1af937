"""The updates of a stack as `pulumi stack history` tells them: when which stage was deployed, how that ended, and who for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_rollouts.settings import PROJECT

TIMEOUT = 30
"""Seconds for the CLI to answer: it may have to ask a bucket."""

NEWEST = 100
"""Updates that are asked for."""


@dataclass(frozen=True)
class Update:
    """One `pulumi up`.

    Attributes:
        version: its number.
        start: when it began, ISO 8601 in UTC.
        result: succeeded, failed or in-progress.
        message: what `--message` said, or the subject of the commit.
        commit: the commit that was deployed, when the CLI knew it; else empty.
        services: the services as they were configured.
    """

    version: int
    start: str
    result: str
    message: str
    commit: str
    services: Mapping[str, Any]


def updates(project: Path, stack: str) -> tuple[list[Update], str]:
    """The updates, newest first; and, where they cannot be told, why: empty when they can, or when there is no CLI to ask."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        return [], ""
    command = [pulumi, "stack", "history", "--json", "--stack", stack, "--page-size", str(NEWEST), "--page", "1"]
    try:
        done = subprocess.run(
            command, cwd=project, capture_output=True, encoding="utf-8", check=False, timeout=TIMEOUT, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            return [], " ".join(done.stderr.split()).removeprefix("error: ") or f"pulumi ended with {done.returncode}"
        found = [_update(entry) for entry in json.loads(done.stdout) or [] if entry.get("kind") == "update"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError, AttributeError) as e:
        return [], f"{type(e).__name__}: {e}"
    return sorted(found, key=lambda update: update.version, reverse=True), ""


def _update(entry: Mapping[str, Any]) -> Update:
    """The fields of the SDK's UpdateSummary (pulumi.automation)."""
    environment = entry.get("environment") or {}
    services = (entry.get("config") or {}).get(f"{PROJECT}:services") or {}
    value = json.loads(services.get("value") or "{}")
    return Update(
        version=int(entry.get("version") or 0),
        start=str(entry["startTime"]),
        result=str(entry["result"]),
        message=str(entry.get("message") or "").partition("\n")[0],
        commit=str(environment.get("git.head") or ""),
        services=value if isinstance(value, dict) else {},
    )
