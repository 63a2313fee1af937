"""Writes statuses, and only what differs; a condition keeps the time at which it last turned."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.gateway.kinds import CONTROLLER, HTTP_ROUTE, POOL
from sandbox.gateway.objects import Objects
from sandbox.gateway.statuses import Status

log = logging.getLogger("gateway")

Patch = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Merge-patches a path and returns the object."""


def write(statuses: Iterable[Status], objects: Objects, patch: Patch) -> list[tuple[Status, Mapping[str, Any]]]:
    """Tell each object what it has not been told yet.

    Returns:
        What was written, with the object as it stands now. What cannot be written is logged, and is due again.
    """
    written = []
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for status in statuses:
        manifest = objects.get(status.kind, *status.key)
        if manifest is None or manifest["metadata"].get("uid", "") != status.uid:
            continue
        if changes := changed(status, manifest.get("status") or {}, now):
            try:
                written.append((status, patch(f"{status.kind.path(*status.key)}/status", {"status": changes})))
            except Exception as e:  # a status is not worth the routing: whatever it is, it is tried again
                log.warning("status of %s %s: %s", status.kind.name, status.key[1], e)
    return written


def changed(status: Status, present: Mapping[str, Any], now: str) -> dict[str, Any]:
    """The fields that differ, each as a whole, with their times."""
    found = {}
    for field, wanted in status.fields.items():
        old = present.get(field)
        new = _timed(_with_others(status, field, wanted, old or ()), old, now)
        if new != old and not (not new and _is_empty(old)):
            found[field] = new
    return found


def _is_empty(old: Any) -> bool:
    """Nothing, or only the placeholder of a v1alpha2 pool."""
    return all(entry.get("parentRef", {}).get("kind") == "Status" for entry in old or ())


def _with_others(status: Status, field: str, wanted: Any, old: Any) -> Any:
    """The list of parents is written as a whole: what other controllers say in it stays."""
    if status.kind not in (HTTP_ROUTE, POOL) or field != "parents":
        return wanted
    return [*wanted, *(entry for entry in old if entry.get("controllerName") != CONTROLLER)]


def _timed(new: Any, old: Any, now: str) -> Any:
    """`new` with a lastTransitionTime in each condition: the old one where the condition has not turned."""
    if isinstance(new, list):
        return [_timed(entry, _counterpart(entry, old), now) for entry in new]
    if not isinstance(new, Mapping):
        return new
    known = old if isinstance(old, Mapping) else {}
    whole = {key: _timed(value, known.get(key), now) for key, value in new.items()}
    if "observedGeneration" in whole and "lastTransitionTime" not in whole:
        same = known.get("status") == whole["status"] and "lastTransitionTime" in known
        whole["lastTransitionTime"] = known["lastTransitionTime"] if same else now
    return whole


def _counterpart(entry: Any, old: Any) -> Any:
    """The entry of the old list that is about the same thing."""
    if not isinstance(entry, Mapping):
        return None
    identity = [key for key in ("type", "parentRef", "controllerName", "name") if key in entry]
    return next((other for other in old or () if all(other.get(key) == entry[key] for key in identity)), None)
