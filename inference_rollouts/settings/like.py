"""`like`: how one version inherits from another. Maps merge, lists replace, null removes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from inference_rollouts.errors import Problem, allowed, below, named, path_of
from inference_rollouts.settings.report import Place

Versions = Mapping[str, Any]
"""Raw versions by name, as they are written."""

OF_THE_ACCELERATOR = ("machineType", "count", "topology", "driver")
"""What belongs to an accelerator, and is dropped when another one is named."""

NOT_INHERITED = ("like", "names", "allowInPlaceUpdates")
"""What belongs to one version alone: its names, and the permission to change it."""


def merge(base: Any, over: Any) -> Any:
    """`over` on `base`: maps merge, null removes, all else replaces."""
    if not isinstance(over, Mapping):
        return over
    out = dict(base) if isinstance(base, Mapping) else {}
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


def inherit(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A version's own keys on those of the version that it is like."""
    inherited = {key: value for key, value in base.items() if key not in NOT_INHERITED}
    old_nodes, new_nodes = inherited.get("nodes"), own.get("nodes")
    if isinstance(old_nodes, Mapping) and isinstance(new_nodes, Mapping):
        accelerator = new_nodes.get("accelerator")
        if accelerator is not None and accelerator != old_nodes.get("accelerator"):
            inherited["nodes"] = {k: v for k, v in old_nodes.items() if k not in OF_THE_ACCELERATOR}
    if _model(own) not in (None, _model(inherited)):
        inherited.pop("adapters", None)  # their sources were trained for the other base model
    return merge(inherited, own)


def _model(version: Mapping[str, Any]) -> Any:
    server = version.get("server")
    return server.get("model") if isinstance(server, Mapping) else None


def base_of(versions: Versions, name: str) -> str | None:
    """The version that a version is like, where it says so."""
    own = versions.get(name)
    base = own.get("like") if isinstance(own, Mapping) else None
    return base if isinstance(base, str) else None


def bases(versions: Versions, name: str) -> tuple[str, ...]:
    """All versions that a version inherits from, nearest first; a circle is left where it closes."""
    found: dict[str, None] = {name: None}
    while (base := base_of(versions, name)) is not None and base in versions and base not in found:
        found[base] = None
        name = base
    return tuple(found)[1:]


def resolve(versions: Versions) -> dict[str, Any]:
    """Every version with what it inherits; one that is like no other stays as it is written."""

    def whole(name: str) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for each in reversed((name, *bases(versions, name))):
            own = versions[each] if isinstance(versions[each], Mapping) else {}
            value = dict(own) if base_of(versions, each) is None else inherit(value, own)
        return value

    return {name: whole(name) if isinstance(own, Mapping) else own for name, own in versions.items()}


def problems(versions: Versions, at: Place) -> Iterator[Problem]:
    """What is wrong with `like` itself: a base that is no version, and circles, each said once."""
    circles: set[frozenset[str]] = set()
    for name in versions:
        base, circle = base_of(versions, name), (name, *bases(versions, name))
        if base is not None and base not in versions:
            others = [other for other in versions if other != name]
            yield Problem(path_of(*at, name, "like"), f"{named(base)} is no version of this service{allowed(base, others)}")
        elif base_of(versions, circle[-1]) == name and frozenset(circle) not in circles:
            circles.add(frozenset(circle))
            message = "is the version itself; name another one, or take like out"
            if len(circle) > 1:
                message = f"goes round in a circle: {' -> '.join((*circle, name))}; one of them must stand alone"
            yield Problem(path_of(*at, name, "like"), message)


def follow_ups(broken: Iterable[str], versions: Versions, at: Place) -> set[str]:
    """Where versions inherit what is broken in another one."""
    found = set()
    for name, own in versions.items():
        for base in bases(versions, name):
            place = path_of(*at, base)
            inherited = [path_of(*at, name) + path.removeprefix(place) for path in broken if path.startswith(f"{place}.")]
            found |= {path for path in inherited if not _written(own, path_of(*at, name), path)}
    return found


def said_once(found: list[Problem], versions: Versions, at: Place) -> list[Problem]:
    """Problems without those of inherited values: they are said where the value is written, or first missing."""
    sentences = {(p.path, p.message) for p in found}

    def repeated(problem: Problem) -> bool:
        for name, own in versions.items():
            place = path_of(*at, name)
            if problem.path.startswith(f"{place}.") and not _written(own, place, problem.path):
                rest = problem.path.removeprefix(place)
                return any((path_of(*at, base) + rest, problem.message) in sentences for base in bases(versions, name))
        return False

    return [problem for problem in found if not repeated(problem)]


def _written(value: Any, place: str, path: str) -> bool:
    """Whether a value at a place has something of its own at a path."""
    if path == place:
        return True
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        deeper = below(place, key)
        if path == deeper or path.startswith((f"{deeper}.", f"{deeper}[")):
            return _written(child, deeper, path)
    return False
