"""Which failures `make test-sandbox` tries again: none that may be about a lost request."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from sandbox.live.report import Counted, Moved
from tests.conftest import ROOT


def never_again(text: str) -> bool:
    """Whether a failure of this text is not tried again, by the pattern in the Makefile."""
    found = re.search(r"--rerun-except '([^']+)'", (ROOT / "Makefile").read_text("utf-8"))
    assert found
    return re.search(found[1], text) is not None


def lost(counts: SimpleNamespace) -> None:
    assert counts.lost == 0


def failed(counts: SimpleNamespace) -> None:
    assert counts.failed == 0, ("a sample",)


@pytest.mark.parametrize("claim", [lost, failed])
def test_what_pytest_says_of_a_loss_is_recognised(claim: Callable[[SimpleNamespace], None]):
    with pytest.raises(AssertionError) as error:
        claim(SimpleNamespace(lost=3, failed=3))
    assert never_again(str(error.value)), str(error.value)


def test_what_a_report_says_of_a_loss_is_recognised_and_a_split_that_is_off_is_not():
    (said,) = Moved("1", "10", after=Counted(2000, 1, {"status": 1}, (), 5.0, 20.0)).wrong
    assert never_again(said)
    assert never_again("AssertionError: the stream did not finish")
    assert not never_again("10 to 50: llm served 1,000 of 2,000 requests, 50 %; wanted 90 % ± 2.7")
    assert not never_again("SandboxError: etcd did not get ready within two minutes")
