"""Sends a pod's status to the API server whenever it changed, until it has arrived."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.nodes.host import Host
from sandbox.nodes.kube import KubeError
from sandbox.nodes.status import Status

log = logging.getLogger("status")

GATHER_SECONDS = 0.02
"""Changes within this time are sent at once."""
RETRY_SECONDS = 1.0
POD_IS_GONE = (404, 409)


class Reporter:
    """The status of one pod.

    Args:
        host: sends it.
        manifest: the pod as the API server has it; kept up to date with what it answers.
        make: the status now, from the manifest.
    """

    def __init__(self, host: Host, manifest: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Status]) -> None:
        self.manifest = manifest
        self._host, self._make = host, make
        self._changed = asyncio.Event()
        self._sent: Status | None = None

    def changed(self) -> None:
        """There is something to tell."""
        self._changed.set()

    async def run(self) -> None:
        """Send until cancelled, or until the pod is gone."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._send()
            except KubeError as e:
                if e.status in POD_IS_GONE:
                    return
                log.error("%s: %s", self.manifest["metadata"]["name"], e)
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()
            await asyncio.sleep(GATHER_SECONDS)

    async def _send(self) -> None:
        status = self._make(self.manifest)
        if status != self._sent:
            answer = await self._host.patch_status(self.manifest, status)
            self.manifest = {**self.manifest, "status": answer["status"]}
            self._sent = status
