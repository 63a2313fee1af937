"""Something goes wrong in the middle of a rollout: stable loses nothing, the user is told, and the way back works."""

from __future__ import annotations

import pytest

from sandbox.home import Home
from sandbox.live.faults import FAULTS
from tests.sandbox.live import STACKS, rehearsed

pytestmark = pytest.mark.sandbox

LONGEST_WAY_BACK = 30.0
"""Seconds; far above what it takes (see docs/soak.md), and far below a time-out."""

SLOW = 55.0
"""Seconds: the status of a slow gateway comes after 60, and an update waits for it."""


@pytest.mark.parametrize("name", FAULTS)
def test_stable_loses_nothing_the_user_is_told_and_the_way_back_works(shared_home: Home, name: str):
    report = rehearsed(shared_home, STACKS / "Pulumi.short.yaml", requests=200, rate=100, fault=name)

    assert report.clean, "\n".join(report.wrong)
    (rollout,) = report.rollouts
    found = dict(rollout.fault or {})
    assert found["failed while it lasted"].get("llm", 0) == 0
    assert found["requests while it lasted"] > 20
    if FAULTS[name].refuses:
        assert found["the next raise is refused"] is True
        assert any("llm-new" in text for text in found["the user sees"])
    if FAULTS[name].where == "during":
        assert found["continued by the next update"] is True
    back = found["rollback: seconds from the command to the effect"]
    assert (back is None) == (FAULTS[name].where == "before")
    assert back is None or back < LONGEST_WAY_BACK
    if name == "slow-gateway":
        assert found["rollback: seconds of the whole update"] > SLOW, "else the gateway was not slow"
        assert any("s for HTTPRoute" in text for text in found["the user sees"]), found
