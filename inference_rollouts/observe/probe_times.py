"""How long answers took. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from inference_rollouts.observe.probe_send import Reply

RANKS = {"p50": 0.5, "p95": 0.95, "max": 1.0}


def percentiles(replies: Sequence[Reply]) -> dict[str, dict[str, float]]:
    """Seconds until the first byte (`first`) and until the end (`whole`): median, 95th percentile (nearest rank), longest."""
    found = {}
    for key in ("first", "whole"):
        times = sorted(time for reply in replies if (time := getattr(reply, key)) is not None)
        if times:
            # The ceiling of rank times count, from 1.
            found[key] = {name: round(times[-int(-rank * len(times) // 1) - 1], 4) for name, rank in RANKS.items()}
    return found


def as_text(replies: Sequence[Reply]) -> str:
    """The same in words."""
    names = {"first": "first byte", "whole": "whole"}
    return "; ".join(
        f"{names[key]} p50 {times['p50']:.3f} s, p95 {times['p95']:.3f} s, longest {times['max']:.3f} s"
        for key, times in percentiles(replies).items()
    )
