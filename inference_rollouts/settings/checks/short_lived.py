"""Nodes that do not stay: spot and flex-start. A canary may try them; what serves may not depend on them.

What the file shows is judged: `nodes.spot`, and the labels of such nodes in a node selector. What stands behind `existing` and
`computeClass` it does not show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from inference_rollouts.errors import Problem, named, path_of
from inference_rollouts.settings.model import Service, Version
from inference_rollouts.settings.report import Place

Kind = Literal["spot", "flex-start"]

LABELS: Mapping[str, Kind] = {"cloud.google.com/gke-spot": "spot", "cloud.google.com/gke-flex-start": "flex-start"}
"""Labels that GKE puts on such nodes, with the value "true"."""

WHY: Mapping[Kind, str] = {
    "spot": "spot nodes, which can be taken away at any time",
    "flex-start": "flex-start nodes, which live for seven days at most",
}


class ShortLived(NamedTuple):
    """What makes a version's nodes short-lived.

    Attributes:
        kind: spot or flex-start.
        at: the key that says so, below the version.
    """

    kind: Kind
    at: tuple[str, ...]

    @property
    def why(self) -> str:
        """What that means, for a sentence."""
        return WHY[self.kind]


def short_lived(version: Version) -> ShortLived | None:
    """Whether the file shows that a version's nodes do not stay; nothing is made of spot with a reservation, which is a problem."""
    if version.nodes and version.nodes.spot and not version.nodes.reservation:
        return ShortLived("spot", ("nodes", "spot"))
    selectors = {
        ("nodes", "nodeSelector"): (version.nodes.node_selector if version.nodes else None) or {},
        ("server", "podSpec", "nodeSelector"): (version.server.pod_spec if version.server else {}).get("nodeSelector") or {},
    }
    for place, selector in selectors.items():
        for label, kind in LABELS.items():
            if isinstance(selector, Mapping) and selector.get(label) == "true":
                return ShortLived(kind, (*place, label))
    return None


def short_lived_problems(service: Service, at: Place) -> Iterator[Problem]:
    """What serves, or would serve after the finish, on nodes that do not stay.

    A version that serves there already is let be while a rollout leads away from it, and while an adapter's is under way: that
    one must be able to fall.
    """
    rollout, stable = service.rollout, service.versions.get(service.serving)
    canary = service.versions.get(rollout.to) if rollout else None
    on_canary, on_stable = canary and short_lived(canary), stable and short_lived(stable)
    adapters_move = any(adapter.rollout and adapter.rollout.stage != "baseline" for adapter in service.adapters.values())
    if on_stable and not (canary and not on_canary) and not service.decommission and not adapters_move:
        yield Problem(
            path_of(*at, "versions", service.serving, *on_stable.at),
            f"{named(service.serving)} serves, and it is on {on_stable.why}; add a version on other nodes "
            f"({service.serving}-new: {{like: {service.serving}, nodes: {{…}}}}), and a rollout to it, which may wait at stage: baseline",
        )
    if rollout and on_canary and rollout.stage == "retire":
        yield Problem(
            path_of(*at, "rollout", "stage"),
            f"retire leads to the finish, after which {named(rollout.to)} serves, and it is on {on_canary.why}; "
            "stay at 100 or go down, and roll out a version on other nodes",
        )
