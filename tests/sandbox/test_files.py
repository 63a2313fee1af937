"""Files that are another's for a while are as they were afterwards, also where the one who borrowed them was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import files
from sandbox.nodes.settings import SettingsFile, configure, configured, in_all_versions, settings_path


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("before", ['{"loadSeconds": 2}', None])
def test_a_borrowed_file_is_given_back_also_by_the_next_one_when_its_borrower_was_killed(tmp_path: Path, before: str | None):
    path = settings_path(tmp_path)
    if before:
        path.write_text(before)
    killed = files.borrowed(path)
    killed.__enter__()
    configure(tmp_path, tokenSeconds=0.1)
    assert '"tokenSeconds": 0.1' in path.read_text()

    files.give_back(path)  # without the end of what borrowed it
    assert (path.read_text() if path.exists() else None) == before
    assert names(tmp_path) == ([path.name] if before else [])
    path.write_text("{}")
    files.give_back(path)
    assert path.read_text() == "{}", "a file that nobody has borrowed is left alone"


def test_what_holds_in_all_versions_holds_also_where_one_has_a_value_of_its_own(tmp_path: Path):
    configure(tmp_path, versions={"llm-new": {"tokenSeconds": 0.001, "loadSeconds": 2}})
    with configured(tmp_path, **in_all_versions(tmp_path, tokenSeconds=0.1)):
        now = SettingsFile(settings_path(tmp_path)).now
        own = now.versions["llm-new"]
        assert (now.server.token_seconds, own.token_seconds, own.load_seconds) == (0.1, 0.1, 2)
    assert SettingsFile(settings_path(tmp_path)).now.versions["llm-new"].token_seconds == 0.001


def test_what_is_borrowed_twice_is_given_back_twice(tmp_path: Path):
    path = settings_path(tmp_path)
    with configured(tmp_path, tokenSeconds=0.1):
        outer = path.read_text()
        with configured(tmp_path, tokenSeconds=0.2):
            assert path.read_text() != outer
        assert path.read_text() == outer
    assert names(tmp_path) == []
