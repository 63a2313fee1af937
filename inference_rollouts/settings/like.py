"""`like`: how one version inherits from another. Maps merge, lists replace, null removes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference_rollouts.errors import Problem, nearest, one_of, path_of

OF_THE_ACCELERATOR = ("machineType", "count", "topology", "driver")
"""What belongs to an accelerator, and is dropped when another one is named."""

NOT_INHERITED = ("like", "names", "allowInPlaceUpdates")
"""What belongs to one version alone: its names, and the permission to change it."""


def merge(base: Any, over: Any) -> Any:
    """`over` on `base`: maps merge, null removes, all else replaces."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    out = dict(base)
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
    return merge(inherited, own)


def resolve(versions: Mapping[str, Any], at: tuple[str, ...]) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Every version with what it inherits, and the problems of `like` itself.

    Args:
        versions: raw versions by name.
        at: path of the versions, for the problems.
    """
    done: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []

    def visit(name: str, trail: tuple[str, ...]) -> dict[str, Any]:
        if name in done:
            return done[name]
        own = versions[name] if isinstance(versions[name], Mapping) else {}
        base_name = own.get("like")
        base: dict[str, Any] = {}
        if isinstance(base_name, str):
            place = path_of(*at, name, "like")
            if base_name in (*trail, name):
                circle = " -> ".join((*trail[trail.index(base_name) :], name, base_name) if base_name in trail else (name, name))
                problems.append(Problem(place, f"goes round in a circle: {circle}; one of them must stand alone"))
            elif base_name not in versions:
                others = [other for other in versions if other != name]
                problems.append(
                    Problem(
                        place,
                        f"{base_name} is no version of this service{nearest(base_name, others)}; allowed: {one_of(others)}",
                    )
                )
            else:
                base = visit(base_name, (*trail, name))
        done[name] = inherit(base, own)
        return done[name]

    for name in versions:
        visit(name, ())
    return done, problems
