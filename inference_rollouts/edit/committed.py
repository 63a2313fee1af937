"""The earlier texts of a stack file, as Git has them, while somebody waits: quick, or none.

Where there is no Git, no repository, or no answer soon, there are no texts: nothing that asks here may fail or hang for it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 2.0
"""Seconds that each of the two questions to Git may take."""

MOST = 50
"""Commits to look into: a rollout has a few rungs."""


@dataclass(frozen=True)
class Committed:
    """The file's text at a commit.

    Attributes:
        commit: its full hash.
        data: bytes.
    """

    commit: str
    data: bytes


def texts(path: Path) -> Iterator[Committed]:
    """The texts of a file in the last commits that changed it, newest first; without those in which it was not there."""
    file = path.resolve()
    commits = _git(file.parent, b"", "rev-list", f"--max-count={MOST}", "HEAD", "--", file.name).decode().split()
    if not commits or "\n" in file.name:
        return
    asked = b"".join(os.fsencode(f"{commit}:./{file.name}\n") for commit in commits)
    answer = _git(file.parent, asked, "cat-file", "--batch")
    for commit in commits:
        head, _, rest = answer.partition(b"\n")
        if not head:
            return
        if head.endswith(b" missing"):  # the commit that took it away
            answer = rest
            continue
        size = int(head.split()[-1])
        yield Committed(commit, rest[:size])
        answer = rest[size + 1 :]


def _git(folder: Path, asked: bytes, *arguments: str) -> bytes:
    """What Git answers; nothing where it does not."""
    settled = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1", "GIT_NO_LAZY_FETCH": "1"}
    command = ["git", "-C", str(folder), *arguments]
    try:
        found = subprocess.run(
            command, input=asked, capture_output=True, check=False, timeout=PATIENCE, env={**os.environ, **settled}
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return b"" if found.returncode else found.stdout
