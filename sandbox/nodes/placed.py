"""A pod on a node, by what the API server says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PlacedPod:
    """A pod that the scheduler has placed.

    Args:
        manifest: as the API server has it.
        ip: its address.
        host_ip: that of its node.
    """

    def __init__(self, manifest: Mapping[str, Any], ip: str, host_ip: str) -> None:
        self.manifest = manifest
        self.ip, self.host_ip = ip, host_ip

    @property
    def name(self) -> str:
        """Its name."""
        return self.manifest["metadata"]["name"]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.manifest["metadata"]["namespace"]

    @property
    def uid(self) -> str:
        """Its UID."""
        return self.manifest["metadata"]["uid"]

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.manifest["metadata"].get("labels") or {}

    @property
    def node(self) -> str:
        """The node it is on."""
        return self.manifest["spec"]["nodeName"]

    @property
    def statuses(self) -> dict[str, dict[str, Any]]:
        """What its status says of its containers, by name."""
        status = self.manifest.get("status") or {}
        return {s["name"]: s for kind in ("initContainerStatuses", "containerStatuses") for s in status.get(kind) or ()}
