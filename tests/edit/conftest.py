"""A project to work in, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edit.project import Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)
