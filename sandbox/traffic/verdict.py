"""Verdicts on a split: which share each version should have and has, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inference_rollouts.checks import Finding
from sandbox.traffic.split import SIGMAS, Interval, number, percent, smallest_sample, tolerance, wilson


@dataclass(frozen=True)
class Share:
    """The wanted and the observed share of one version.

    Attributes:
        version: its name.
        wanted: share between 0 and 1.
        hits: requests that it served.
        n: requests that all versions served.
        tolerance: how far the two may be apart.
        enough: whether the sample allows a verdict.
    """

    version: str
    wanted: float
    hits: int
    n: int
    tolerance: float
    enough: bool

    @property
    def observed(self) -> float:
        """Share between 0 and 1; 0 without requests."""
        return self.hits / self.n if self.n else 0.0

    @property
    def interval(self) -> Interval:
        """Where the real share is, with 95 % confidence."""
        return wilson(self.hits, self.n)

    @property
    def verdict(self) -> Literal["pass", "fail", "unknown"]:
        """Fail also on a small sample, if it is that far off; unknown where a pass would say nothing."""
        if self.n and abs(self.observed - self.wanted) > self.tolerance + 1e-12:
            return "fail"
        return "pass" if self.enough else "unknown"

    @property
    def sentence(self) -> str:
        """What was seen, in plain words.

        >>> print(Share("llm-new", 0.1, 203, 2000, 0.0268, True).sentence)
        llm-new served 203 of 2,000 requests, 10.2 % (95 % interval 8.9 %–11.6 %); wanted 10 % ± 2.7
        """
        served = f"{self.version} served {self.hits:,} of {self.n:,} requests"
        return f"{served}, {percent(self.observed)} (95 % interval {self.interval}); wanted {self.allowed}"

    @property
    def allowed(self) -> str:
        """The wanted share with its tolerance, as "10 % ± 2.7"."""
        return f"{percent(self.wanted)} ± {number(100 * self.tolerance)}" if self.tolerance else f"exactly {percent(self.wanted)}"


def within(
    wanted: Mapping[str, float], counts: Mapping[str, int], sigmas: float = SIGMAS, design_effect: float = 1.0
) -> list[Share]:
    """Every version's share, wanted and observed, with the verdict on it.

    Args:
        wanted: version → weight, in any unit (shares are relative to their sum), 0 included.
        counts: version → requests that it served; a version that is not wanted is judged against 0.
        sigmas: of the tolerance.
        design_effect: factor on the variance, for a gateway that does not draw per request (see `dispersion`).
    """
    whole = sum(wanted.values())
    if whole <= 0:
        raise ValueError(f"weights {dict(wanted)}: their sum is not above 0")
    n = sum(counts.values())
    shares = {version: wanted.get(version, 0) / whole for version in (*wanted, *sorted(counts.keys() - wanted.keys()))}
    return [
        Share(
            version=version,
            wanted=share,
            hits=counts.get(version, 0),
            n=n,
            tolerance=tolerance(share, n, sigmas, design_effect),
            enough=n >= design_effect * smallest_sample(share, sigmas),
        )
        for version, share in shares.items()
    ]


def finding(shares: Sequence[Share], at: str, sigmas: float = SIGMAS) -> Finding:
    """The verdict on a split as a finding: of the version that is furthest off, counted in tolerances.

    Args:
        shares: as `within` returns them.
        at: where it was seen, as "stage 10".
        sigmas: of the tolerance, for the advice on the sample.
    """
    order = {"fail": 0, "unknown": 1, "pass": 2}
    worst = min(shares, key=lambda s: (order[s.verdict], -abs(s.observed - s.wanted) / (s.tolerance or 1)))
    seen = f"{percent(worst.observed)} of {worst.n:,} requests served by {worst.version}, 95 % interval {worst.interval}"
    advice = ""
    if worst.verdict == "unknown":
        advice = f"too few requests to tell: send at least {max(smallest_sample(s.wanted, sigmas) for s in shares):,}"
    return Finding("split", worst.verdict, seen, f"{worst.allowed} ({sigmas:g} sigma of {worst.n:,})", at, advice)
