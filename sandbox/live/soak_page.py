"""The page of a soak: what was sent, what was lost, how near the splits were, how fast weights act. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from sandbox.live.report import LiveReport, LiveRollout
from sandbox.traffic.split import SIGMAS


def page(reports: Sequence[LiveReport], faults: Sequence[LiveReport], machine: str, day: str) -> str:
    """docs/soak.md."""
    return "\n".join(_lines(reports, faults, machine, day)) + "\n"


def _lines(reports: Sequence[LiveReport], faults: Sequence[LiveReport], machine: str, day: str) -> Iterator[str]:
    rollouts = [rollout for report in reports for rollout in report.rollouts]
    sent, lost = sum(r.requests for r in rollouts), sum(r.failed for r in rollouts)
    moves = sum(len(r.moves) for r in rollouts)
    minutes = sum(report.seconds for report in reports) / 60
    gateways = " and ".join(sorted({report.gateway for report in reports}))
    yield from (
        "# Soak",
        "",
        f"Written by `make soak` on {day}; {machine}, everything on that one machine: Kubernetes, Envoy with its controller",
        f"({gateways}), endpoint pickers, simulated servers and clients. See [sandbox.md](sandbox.md) for what is real in it.",
        "",
        f"**{sent:,} requests, {lost:,} failed**, {moves} moves, {minutes:.0f} minutes. Each example went up its ladder, back to `prepare` from",
        "every stage, and to finish, while clients sent requests as fast as they were answered; chat and completions, streaming and",
        "not. A reply that is lost, cut off, late, of a version without weight or for another model counts as failed.",
        "",
        "| rollout | moves | requests | failed | furthest split | p50 | p99 | weight acts after (median, most) |",
        "|---|---|---|---|---|---|---|---|",
    )
    yield from (_row(rollout) for rollout in rollouts)
    yield from (
        "",
        "*Furthest split*: of all splits that were judged, the one furthest from its weights, in standard deviations of a sample of",
        f"its size; {SIGMAS:g} would be wrong. *Weight acts after*: from the beginning of the write (kubectl's start included) to the moment from",
        "which requests went by the new weights. For adapters nobody can tell that moment from outside. *p50*: the median of the moves' own;",
        "*p99*: that of the worst move.",
        "",
    )
    if streams := [r.streams for r in rollouts if r.streams]:
        finished, failed = sum(s.finished for s in streams), sum(s.failed for s in streams)
        seconds = streams[0].seconds
        yield f"Meanwhile {finished + failed} generations of {seconds:.0f} s and more were under way, across every move: {failed} did not finish."
        yield ""
    yield from _wrong(reports)
    if faults:
        yield from _faults(faults)


def _wrong(reports: Sequence[LiveReport]) -> Iterator[str]:
    if wrong := [sentence for report in reports for sentence in report.wrong]:
        yield from ("**Not clean.** What was not as it should be:", "", *(f"- {sentence}" for sentence in wrong), "")


def _row(rollout: LiveRollout) -> str:
    name = f"{rollout.kind}: {rollout.stable} → {rollout.canary}"
    after = [move.after for move in rollout.moves if move.after]
    effects = [e for move in rollout.moves if (e := move.seconds.get("effect")) is not None]
    acts = f"{statistics.median(effects):.2f} s, {max(effects):.2f} s" if effects else ""
    p50 = statistics.median(counted.p50 for counted in after) if after else 0
    p99 = max((counted.p99 for counted in after), default=0)
    furthest = max(_deviations(rollout), default=0.0)
    figures = f"{len(rollout.moves)} | {rollout.requests:,} | {rollout.failed:,} | {furthest:.1f} σ | {p50:.0f} ms | {p99:.0f} ms"
    return f"| {name} | {figures} | {acts} |"


def _deviations(rollout: LiveRollout) -> Iterable[float]:
    """How far each judged share was from its weight, in standard deviations."""
    for move in rollout.moves:
        for share in move.shares:
            if share.tolerance:
                yield abs(share.observed - share.wanted) / share.tolerance * SIGMAS


def _faults(faults: Sequence[LiveReport]) -> Iterator[str]:
    yield from (
        "## When something goes wrong",
        "",
        "The node update again, 100 requests a second, with a fault in the middle. *Stable lost*: requests that stable answered badly,",
        "of all that met the fault. *Known after*: until the cluster's own status told of it; nobody can refuse before. *Way back*: from",
        "the command to the moment from which stable had all requests again, and until the whole update was done.",
        "",
        *_wrong(faults),
        "| fault | stable lost | canary lost | known after | the next raise | way back |",
        "|---|---|---|---|---|---|",
    )
    seen: list[str] = []
    for rollout in (rollout for report in faults for rollout in report.rollouts):
        found = dict(rollout.fault or {})
        name, _, words = str(found.get("fault")).partition(": ")
        lost = found.get("failed while it lasted") or {}
        refused = {True: "refused", False: "not refused", None: ""}[found.get("the next raise is refused")]
        if found.get("continued by the next update"):
            refused = "the next update continued it"
        effect = found.get("rollback: seconds from the command to the effect")
        whole = found.get("rollback: seconds of the whole update")
        back = ", ".join([f"{effect} s" if effect is not None else "no weight to move", f"{whole} s in all"])
        of = f"{lost.get(rollout.stable, 0)} of {found.get('requests while it lasted', 0):,}"
        known = found.get("seconds until the cluster knew")
        known = "" if known is None else f"{known} s"
        yield f"| `{name}`: {words} | {of} | {lost.get(rollout.canary, 0)} | {known} | {refused} | {back} |"
        seen += [f"- `{name}`: {text}" for text in found.get("the user sees", [])]
    yield from ("", "What the user sees:", "", *seen, "")
