"""Addresses of pods: round robin in the range of their node, as GKE's network plugin (host-local) gives them out.

A freed address is given out again only after all others of the node: what still remembers the pod that had it finds nobody.
"""

from __future__ import annotations

import ipaddress


class Addresses:
    """Who has which address."""

    def __init__(self) -> None:
        self._used: dict[str, str] = {}
        self._last: dict[str, int] = {}

    def take(self, uid: str, pod_cidr: str) -> str:
        """The address of a pod: the one that it has, or the next free one.

        Raises:
            ValueError: none is free.
        """
        network = ipaddress.ip_network(pod_cidr)
        if uid in self._used:
            held = int(ipaddress.ip_address(self._used[uid])) - int(network.network_address)
            self._last[pod_cidr] = max(held, self._last.get(pod_cidr, 0))
            return self._used[uid]
        size = network.num_addresses - 2  # the first is the network's, the last for broadcasts
        taken = set(self._used.values())
        for step in range(size):
            offset = (self._last.get(pod_cidr, 0) + step) % size + 1
            address = str(network[offset])
            if address not in taken:
                self._last[pod_cidr] = offset
                self._used[uid] = address
                return address
        raise ValueError(f"no address is free in {pod_cidr}")

    def keep(self, uid: str, address: str) -> None:
        """Remember an address that a pod has already."""
        self._used[uid] = address

    def free(self, uid: str) -> None:
        """Take back a pod's address."""
        self._used.pop(uid, None)
