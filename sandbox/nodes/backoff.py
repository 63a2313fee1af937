"""When a container that ended is started again: as a kubelet does."""

from __future__ import annotations

from dataclasses import dataclass

FIRST, LONGEST = 10.0, 300.0
FORGIVEN_AFTER = 2 * LONGEST
"""A container that ran for so long begins anew."""


@dataclass
class CrashBackoff:
    """Delays of one container: none before its first restart, then 10 s, doubled each time up to 5 minutes."""

    _next: float = 0.0

    def after(self, ran_seconds: float) -> float:
        """Seconds to wait now, after a run of so long."""
        if ran_seconds >= FORGIVEN_AFTER:
            self._next = 0.0
        delay = self._next
        self._next = min(max(2 * delay, FIRST), LONGEST)
        return delay
