"""The pictures in the docs are what the commands print today."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import ROOT


def test_the_pictures_are_what_the_commands_print():
    done = subprocess.run(
        [sys.executable, "tools/pictures.py", "--check"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_picture_fetches_nothing():
    for path in (ROOT / "docs" / "pictures").glob("*.svg"):
        text = path.read_text("utf-8")
        assert "@font-face" not in text
        assert not re.findall(r"(?:href|src)=\"http|url\((?!#)", text), path.name
