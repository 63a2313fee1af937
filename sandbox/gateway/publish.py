"""Brings Envoy from one snapshot to the next without losing a request.

The order: endpoints and clusters first, until Envoy has them all warm; then routes, until it has taken them; clusters that
no route needs any more go last, after the time that their requests may take. Each step writes files and returns; the next is done
when Envoy tells the version of the last one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from sandbox.gateway.admin import Standing
from sandbox.gateway.clusters import Target, empty_assignment
from sandbox.gateway.documents import discovery_response
from sandbox.gateway.files import GatewayFiles, read_json, write_json
from sandbox.gateway.snapshot import Snapshot

log = logging.getLogger("gateway")

LEAST_DRAIN = 5
"""Seconds that a cluster stays at least when no route needs it any more."""


class Tells(Protocol):
    """Envoy, as far as it is asked."""

    def standing(self) -> Standing | None:
        """What it works with; None while it cannot be asked."""
        ...


class Publisher:
    """Writes Envoy's files. What stands in them is where it goes on from, also after a restart.

    Args:
        files: where.
        envoy: who tells what it has taken.
    """

    def __init__(self, files: GatewayFiles, envoy: Tells) -> None:
        self._files, self._envoy = files, envoy
        self._written = {c["name"]: c for c in _resources(read_json(files.clusters))}
        self._clusters_version = _version(read_json(files.clusters))
        self._routes_version = _version(read_json(files.routes))
        self._endpoints: dict[str, Any] = {}
        self._leaving: dict[str, float] = {}
        self._drains: dict[str, int] = {}
        self._wanted: Snapshot | None = None
        self._taken: Snapshot | None = None
        self._refused = 0

    @property
    def busy(self) -> bool:
        """Whether Envoy has yet to take what is wanted."""
        return self._wanted is not self._taken

    def want(self, snapshot: Snapshot) -> None:
        """From now on this is what Envoy is to have."""
        self._wanted = snapshot

    def endpoints(self, targets: Mapping[str, Target]) -> None:
        """Write the endpoints of every cluster that Envoy has or is to have; those of a vanished backend stay as they are."""
        needed = self._written.keys() | (self._wanted.clusters.keys() if self._wanted else set())
        for name in needed & targets.keys():
            self._write_endpoints(name, targets[name].assignment())

    def _write_endpoints(self, name: str, assignment: Any) -> None:
        if self._endpoints.get(name) != assignment:
            self._endpoints[name] = assignment
            write_json(self._files.endpoints(name), discovery_response([assignment]))

    def advance(self, now: float) -> Snapshot | None:
        """Do the next step if it is time for it.

        Args:
            now: seconds on a clock that only goes forward.

        Returns:
            The snapshot that Envoy has just taken as a whole; else None.
        """
        self._expire(now)
        wanted = self._wanted
        if wanted is None or not self.busy or not self._clusters_stand(wanted) or not self._routes_stand(wanted):
            return None
        self._taken = wanted
        self._drains |= wanted.drains
        self._leave(wanted, now)
        return wanted

    def next(self) -> float | None:
        """When the next cluster is to go; None when none is."""
        return min(self._leaving.values(), default=None)

    def _clusters_stand(self, wanted: Snapshot) -> bool:
        """Whether Envoy has every cluster that the old routes or the new ones need, warm."""
        both = self._written | dict(wanted.clusters)
        if both != self._written:
            self._write_clusters(both)
        for name in wanted.clusters:
            self._leaving.pop(name, None)
        told = self._told()
        return told is not None and told.clusters == self._clusters_version and told.warming == 0

    def _routes_stand(self, wanted: Snapshot) -> bool:
        document = discovery_response([wanted.routes])
        if document["version_info"] != self._routes_version:
            self._routes_version = document["version_info"]
            write_json(self._files.routes, document)
            log.info("routes %s", self._routes_version)
        told = self._told()
        return told is not None and told.routes == self._routes_version

    def _told(self) -> Standing | None:
        told = self._envoy.standing()
        if told and told.rejected > self._refused:
            log.error("Envoy refused a configuration; its log says why")
        self._refused = told.rejected if told else 0
        return told

    def _leave(self, taken: Snapshot, now: float) -> None:
        for name in self._written.keys() - taken.clusters.keys():
            self._leaving.setdefault(name, now + max(LEAST_DRAIN, self._drains.get(name, 0)))

    def _expire(self, now: float) -> None:
        """Remove the clusters whose time is up, unless they are wanted again."""
        gone = {name for name, when in self._leaving.items() if when <= now}
        if not gone or self.busy:
            return
        self._write_clusters({name: cluster for name, cluster in self._written.items() if name not in gone})
        for name in gone:
            del self._leaving[name]
            self._endpoints.pop(name, None)
            self._files.endpoints(name).unlink(missing_ok=True)

    def _write_clusters(self, clusters: Mapping[str, Any]) -> None:
        for name in clusters:
            if not self._files.endpoints(name).exists():  # its backend vanished before it was ever written
                write_json(self._files.endpoints(name), discovery_response([empty_assignment(name)]))
        document = discovery_response([clusters[name] for name in sorted(clusters)])
        self._written, self._clusters_version = dict(clusters), document["version_info"]
        write_json(self._files.clusters, document)
        log.info("clusters %s: %s", self._clusters_version, ", ".join(sorted(clusters)) or "none")


def _resources(document: Any) -> list[Any]:
    return document["resources"] if document else []


def _version(document: Any) -> str:
    return document["version_info"] if document else ""
