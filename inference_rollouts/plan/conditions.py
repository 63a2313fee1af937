"""The conditions of a raise, from the settings of each rollout."""

from __future__ import annotations

from inference_rollouts.plan.values import Conditions
from inference_rollouts.settings import AdapterRollout, Rollout, Service

GKE_SETTLE = 60
"""Seconds. On GKE a weight was seen to act after 8, a new backend after 18 (argoproj/argo-rollouts#4710); Google says none."""


def conditions_of(service: Service, *, gke: bool) -> dict[str, Conditions]:
    """By what rolls out: the empty name for the pools, and each adapter's."""
    rollouts = {"": service.rollout, **{name: adapter.rollout for name, adapter in service.adapters.items()}}
    return {name: _of(rollout, gke=gke) for name, rollout in rollouts.items() if rollout}


def _of(rollout: AdapterRollout, *, gke: bool) -> Conditions:
    pools = rollout if isinstance(rollout, Rollout) else None
    default = GKE_SETTLE if pools and gke else 0
    return Conditions(
        settle=default if rollout.settle is None else rollout.settle,
        bake=rollout.bake,
        keep=rollout.keep,
        checks=tuple(check.metric() for check in rollout.checks),
        probe=bool(pools and pools.test and pools.test.required),
    )
