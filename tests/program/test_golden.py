"""What the examples show at every stage, and the names under which everything is in the state, are as they were looked at."""

from __future__ import annotations

import pytest

from tests.conftest import EXAMPLES
from tests.program import golden
from tests.program.runs import Place, places_of, recorded, walked

PREVIEWS = golden.FOLDER / "previews"
SHOWN = [place for stack in EXAMPLES for place in places_of(stack)]


@pytest.mark.parametrize("place", SHOWN, ids=str)
def test_the_preview_of_every_stage_is_as_it_was_looked_at(place: Place):
    (stage,) = [stage for stage in walked(place.stack, place.rollout) if stage.stage == place.step]

    golden.check(
        PREVIEWS / place.stack / f"{place.step}.txt",
        golden.preview_text(place.stack, stage),
        "if that is meant, say `make golden`, and read the difference before you commit it",
    )


def test_every_urn_of_the_examples_stays_as_it_is():
    """A resource whose URN changes is deleted and created anew, also while it carries traffic."""
    urns = {urn for place in SHOWN for urn in recorded(place).resources}

    golden.check(
        golden.FOLDER / "urns.txt",
        "".join(f"{urn}\n" for urn in sorted(urns)),
        "a URN that is renamed means deletion and creation for everybody who has deployed: give the resource an alias "
        "(opts.aliases) for its old URN, then say `make golden`; what is only added or given up for good needs none",
    )


def test_no_golden_preview_is_left_over():
    wanted = {PREVIEWS / place.stack / f"{place.step}.txt" for place in SHOWN}
    found = set(PREVIEWS.rglob("*.txt"))

    for left_over in found - wanted if golden.WRITE else ():
        left_over.unlink()
    assert golden.WRITE or found == wanted


def test_a_preview_that_changes_is_found_and_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(golden, "WRITE", False)
    monkeypatch.setattr(golden, "ROOT", tmp_path)
    (tmp_path / "10.txt").write_text("create a\n")

    golden.check(tmp_path / "10.txt", "create a\n", "")
    with pytest.raises(AssertionError, match=r"10\.txt changes; give it an alias"):
        golden.check(tmp_path / "10.txt", "create b\n", "give it an alias")
    with pytest.raises(AssertionError, match=r"11\.txt is missing"):
        golden.check(tmp_path / "11.txt", "create b\n", "")
