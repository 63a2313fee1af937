"""What `pulumi up` asks live before a raise, or before `retire`, in words; and what a change of the file asks no more. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts.plan.values import Conditions, ModelServiceArgs
from inference_rollouts.raises import Raise
from inference_rollouts.wording import duration


def questions(service: ModelServiceArgs, raised: Raise) -> list[str]:
    """What is asked of a service, a phrase each.

    Args:
        service: as it is to be.
        raised: what is in question.
    """
    asked = [_ready(service, raised), "the route is accepted as it is deployed", "the live weights are the deployed ones"]
    held = {adapter.name for v in service.versions if v.server for adapter in v.server.adapters if adapter.routed}
    asked += [f"every ready pod holds {', '.join(sorted(held))}"] if held else []
    for name, retires in _moves(raised):
        asked += _about(_conditions(service, name), metrics=not retires and not _is_first(service, name), retires=retires)
    probed = raised.pools and _is_first(service, "") and _conditions(service, "").probe
    return [*asked, "rollout probe has passed on the canary as it stands"] if probed else asked


def _ready(service: ModelServiceArgs, raised: Raise) -> str:
    if raised.touched:
        return "every version's servers, endpoint picker and pool are ready"
    if any(version.external_pool and version.name == service.record.pools.to for version in service.versions):
        return "the canary's pool, which somebody else owns, is accepted and has a Ready pod"
    return "the canary's servers, endpoint picker and pool are ready"


def asked_no_more(before: ModelServiceArgs, after: ModelServiceArgs, raised: Raise) -> list[str]:
    """Conditions that the file had for this very move, and that the change makes weaker or takes out, a phrase each."""
    less = [
        f"adapter {name}: {weaker}" if name else weaker
        for name, retires in _moves(raised)
        for weaker in _weaker(
            _conditions(before, name),
            _conditions(after, name),
            metrics=not retires and not _is_first(after, name),
            retires=retires,
        )
    ]
    probed = raised.pools and _is_first(after, "") and _conditions(before, "").probe and not _conditions(after, "").probe
    return [*less, "that rollout probe has passed"] if probed else less


def _is_first(service: ModelServiceArgs, name: str) -> bool:
    """Whether a raise is the first, to the lowest rung: the canary has no traffic yet to judge by, and may have to be probed."""
    split = service.record.adapters[name] if name else service.record.pools
    return split.stage in split.steps[:1]


def _moves(raised: Raise) -> Iterator[tuple[str, bool]]:
    """Name (empty for the pools) of each rollout in question, and whether it retires."""
    yield from ((name, False) for name in raised.names)
    yield from ((name, True) for name in raised.retired)


def _conditions(service: ModelServiceArgs, name: str) -> Conditions:
    return service.conditions.get(name, Conditions())


def _about(conditions: Conditions, *, metrics: bool, retires: bool) -> list[str]:
    """What is asked beside readiness."""
    check, seconds = conditions.least(retires=retires)
    asked = [f"the weights have stood for {duration(seconds)} ({check})"] if seconds else []
    return asked + [f"metric {metric.name} keeps its limits" for metric in conditions.checks] if metrics else asked


def _weaker(old: Conditions, new: Conditions, *, metrics: bool, retires: bool) -> Iterator[str]:
    (check, least), (_, now) = old.least(retires=retires), new.least(retires=retires)
    if now < least:
        yield f"{check} {duration(least)} (now {duration(now)})"
    if not metrics:
        return
    kept = {metric.name: metric for metric in new.checks}
    for metric in old.checks:
        if metric.name not in kept:
            yield f"metric {metric.name}"
        elif kept[metric.name] != metric:
            yield f"metric {metric.name} as it was"
