"""The statistics of a split: tolerance, confidence interval, and the sample that a verdict takes. Pure.

**Where the tolerance comes from.** Envoy draws the backend of each request anew, by a random number of its own for each
stream, also for those that share a connection. So of n requests the number that a weight w gets is binomial, and the
observed share has the standard deviation sqrt(w(1-w)/n). A split passes within `sigmas` of them. For 4, a right split is
called wrong once in about 16,000 times where w is 50 %, and, as small shares are skewed, once in about 4,000 at worst
(`false_alarm` is the exact figure).

**What correlated requests would add.** Where one draw decided for m requests (a balancer that draws per connection, session
affinity), the same n requests would be only n/m draws, and the standard deviation sqrt(m) times as large. `dispersion`
measures that m from the counts themselves: it is 1 for independent requests. It enters as `design_effect`; by default it is
1, so that a gateway that does not draw per request fails.

**The sample.** Up to sigmas²/(w(1-w)) requests the tolerance reaches down to 0 or up to 1: a version that got nothing at all
would pass. The verdict is then "unknown". To tell a share that moved from one that did not takes what `sample_size` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

SIGMAS = 4.0
CONFIDENCE_95 = 1.959963984540054
"""Standard deviations that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, both shares between 0 and 1."""

    low: float
    high: float

    def __contains__(self, share: float) -> bool:
        return self.low <= share <= self.high

    def __str__(self) -> str:
        return f"{percent(self.low)}–{percent(self.high)}"


def wilson(hits: int, n: int, sigmas: float = CONFIDENCE_95) -> Interval:
    """Wilson's score interval of a share of which `hits` of `n` were seen: the shares from which that is at most `sigmas` away.

    Unlike the textbook's p ± z·sqrt(p(1-p)/n) it neither vanishes at 0 and n hits nor leaves [0, 1] (Wilson 1927).

    >>> wilson(0, 1000)
    Interval(low=0.0, high=0.0038267...)
    """
    if n == 0:
        return Interval(0.0, 1.0)
    share, square = hits / n, sigmas**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = sigmas / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return Interval(0.0 if hits == 0 else max(0.0, middle - half), 1.0 if hits == n else min(1.0, middle + half))


def tolerance(wanted: float, n: int, sigmas: float = SIGMAS, design_effect: float = 1.0) -> float:
    """How far the observed share of n requests may be from the wanted one.

    >>> round(tolerance(0.10, 2000), 4)
    0.0268
    """
    return sigmas * math.sqrt(design_effect * wanted * (1 - wanted) / n) if n else 1.0


def smallest_sample(wanted: float, sigmas: float = SIGMAS) -> int:
    """Requests from which on neither "nothing" nor "everything" is within the tolerance of a share.

    >>> [smallest_sample(w) for w in (0, 0.01, 0.5)]
    [1, 1617, 65]
    """
    both = wanted * (1 - wanted)
    # A version that got nothing is off by w, and w > sigmas·sqrt(w(1-w)/n) is n > sigmas²(1-w)/w; likewise for 1-w.
    # This bounds both.
    return _above(sigmas**2 / both) if both else 1


def tells_apart(one: float, other: float, sigmas: float = SIGMAS) -> int:
    """Requests from which on no observed share is within the tolerance of both.

    >>> tells_apart(0.10, 0.25)
    383
    """
    deviations = math.sqrt(one * (1 - one)) + math.sqrt(other * (1 - other))
    return _above((sigmas * deviations / (one - other)) ** 2)


def _above(bound: float) -> int:
    """The smallest whole number above it, whatever rounding did to it."""
    return math.floor(bound * (1 + 1e-9)) + 1


def sample_size(before: float, after: float, sigmas: float = SIGMAS) -> int:
    """Requests that a share takes after a move, so that a verdict can be given and one that did not move is called wrong.

    Args:
        before, after: the share, between 0 and 1; the same where it does not move.
        sigmas: of the tolerance.

    >>> [sample_size(0.10, 0.25), sample_size(0.01, 0), sample_size(0.50, 0.50)]
    [383, 1585, 65]
    """
    smallest = smallest_sample(after, sigmas)
    return smallest if before == after else max(smallest, tells_apart(before, after, sigmas))


def surely(least: int, sigmas: float = SIGMAS) -> float:
    """How many requests to expect of a share, so that chance does not give it fewer than `least`; 0 for none.

    What a small share gets is Poisson: the standard deviation of n is its root, and n - sigmas·√n is to be `least`.

    >>> round(surely(50), 1)
    87.4
    """
    return (sigmas / 2 + math.sqrt(sigmas**2 / 4 + least)) ** 2 if least else 0.0


def false_alarm(wanted: float, n: int, sigmas: float = SIGMAS) -> float:
    """The exact probability that a right split of n independent requests is called wrong.

    >>> f"{false_alarm(0.5, 10_000):.1e}"
    '6.1e-05'
    """
    if wanted in (0, 1):
        return 0.0
    allowed = tolerance(wanted, n, sigmas)
    lowest, highest = math.ceil(n * (wanted - allowed)), math.floor(n * (wanted + allowed))
    return math.fsum(_binomial(k, n, wanted) for k in (*range(max(lowest, 0)), *range(highest + 1, n + 1)))


def _binomial(k: int, n: int, p: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choose + k * math.log(p) + (n - k) * math.log1p(-p))


def dispersion(blocks: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """By how much blocks of requests differ, against independent draws: the factor on the variance, and its standard deviation.

    Pearson's chi-square over its degrees of freedom. About 1 ± the second figure: each request was drawn for itself.
    About m: m at a time.

    Args:
        blocks: (requests to one of the versions, all requests), all under the same weights, for instance of each bin of a
            timeline. Empty ones do not count.
    """
    filled = [(hits, n) for hits, n in blocks if n]
    total = sum(n for _, n in filled)
    share = sum(hits for hits, _ in filled) / total if total else 0.0
    if len(filled) < 2 or share in (0, 1):
        return 1.0, math.inf
    free = len(filled) - 1
    chi_square = math.fsum((hits - n * share) ** 2 / (n * share * (1 - share)) for hits, n in filled)
    return chi_square / free, math.sqrt(2 / free)


def percent(share: float) -> str:
    """A share in percent, to a tenth, or as far as it takes not to look like 0 or 100.

    >>> [percent(share) for share in (0, 0.00012, 0.0123, 0.5, 0.99999, 1)]
    ['0 %', '0.01 %', '1.2 %', '50 %', '99.999 %', '100 %']
    """
    return f"{number(100 * share)} %"


def number(value: float) -> str:
    """Percent without its sign."""
    digits = next((d for d in range(1, 7) if value in (0, 100) or round(value, d) not in (0, 100)), 7)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
