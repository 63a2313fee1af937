"""When a changed weight took effect, and how two such times compare. Pure."""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.traffic.counts import Timeline

_CERTAIN = 1e-6
"""What stands for "never" in a likelihood: one stray reply does not outweigh thousands."""

DOUBT = 1e-4
"""Who looks again and again sees a change that has not come, at most this often (Ville's inequality)."""


@dataclass(frozen=True)
class Effect:
    """When a share changed, in seconds since the beginning of the phase: as likely before as after, and a 95 % interval."""

    at: float
    low: float
    high: float


def took_effect(timeline: Timeline, version: str, before: float, after: float) -> Effect | None:
    """The moment at which a version's share changed from one value to another; None if no change can be told from these counts.

    The likelihood of a moment is that of all replies before it under the old share and of all from it on under the new one;
    every bin's beginning is as likely as any other beforehand, and no change as likely as all of them together. So it also
    finds the change from 10 to 25 %, which no single reply shows, and it allows for the requests that go by until a version
    with a small share is drawn for the first time. It may be asked again and again while replies come: an effect is told
    before it has come as rarely as `DOUBT` says.

    Args:
        timeline: of a phase that began before the change.
        version: whose share changed.
        before, after: its shares, between 0 and 1, not the same.
    """
    totals = [sum(bins) for bins in zip(*timeline.versions.values(), strict=True)]
    if not any(totals) or before == after:
        return None
    hits = timeline.versions.get(version, (0,) * len(totals))
    gains = [_gain(h, n, before, after) for h, n in zip(hits, totals, strict=True)]
    # Two moments differ by what the bins between them gain under the new share. The last "moment" is that of no change.
    likelihoods = [0.0, *itertools.accumulate(reversed(gains))][::-1]
    best = max(likelihoods)
    chances = list(itertools.accumulate(math.exp(likelihood - best) for likelihood in likelihoods))
    low, at, high = (bisect.bisect_left(chances, quantile * chances[-1]) for quantile in (0.025, 0.5, 0.975))
    unchanged = math.exp(likelihoods[-1] - best) * len(gains)
    if unchanged > DOUBT * chances[-1]:
        return None
    return Effect(*(moment * timeline.width for moment in (at, low, high)))


def _gain(hits: int, total: int, before: float, after: float) -> float:
    """By how much the counts of a bin are likelier under the new share: the logarithm of the ratio."""
    old, new = (min(max(share, _CERTAIN), 1 - _CERTAIN) for share in (before, after))
    return hits * math.log(new / old) + (total - hits) * math.log((1 - new) / (1 - old))


@dataclass(frozen=True)
class Ratio:
    """How two times compare, over several pairs.

    Attributes:
        median: of the ratios.
        low, high: interval that holds the real median, by order statistics: it supposes nothing about the distribution.
        confidence: that it does; below 0.95 for fewer than 6 pairs, which cannot give more.
        pairs: how many.
    """

    median: float
    low: float
    high: float
    confidence: float
    pairs: int

    @property
    def sentence(self) -> str:
        """In plain words.

        >>> ratio([0.11, 0.09, 0.10], [0.10, 0.10, 0.10]).sentence
        'median ratio 1.00 of 3 pairs (75 % interval 0.90–1.10)'
        """
        interval = f"{100 * self.confidence:.0f} % interval {self.low:.2f}–{self.high:.2f}"
        return f"median ratio {self.median:.2f} of {self.pairs} pairs ({interval})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """The median of the ratios ours/theirs, pair by pair, as from runs that took turns: what disturbs the machine disturbs both.

    Raises:
        ValueError: no pairs, not the same number, or a time that is not above 0.
    """
    if not ours or len(ours) != len(theirs) or min(*ours, *theirs) <= 0:
        raise ValueError("a ratio takes pairs of times above 0")
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    n = len(ratios)
    # Between the k-th lowest and the k-th highest lies the median, unless fewer than k of n fair coins show one side.
    depth, confidence = 1, 1 - 2 * _coins(1, n)
    while depth + 1 <= n // 2 and 1 - 2 * _coins(depth + 1, n) >= 0.95:
        depth, confidence = depth + 1, 1 - 2 * _coins(depth + 1, n)
    return Ratio(statistics.median(ratios), ratios[depth - 1], ratios[n - depth], confidence, n)


def _coins(fewer: int, n: int) -> float:
    """The probability that fewer than so many of n fair coins show heads."""
    return sum(math.comb(n, k) for k in range(fewer)) / 2**n
