"""The earlier texts of a stack file, as Git has them, while somebody waits: quick, or none.

Where there is no Git, no repository, or no answer soon, there are no texts: nothing that asks here may fail or hang for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from inference_rollouts.edit.repository import Repository
from inference_rollouts.errors import InputError

PATIENCE = 2.0
"""Seconds that each question to Git may take; after one without an answer no other is asked."""

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
    try:
        repository = Repository.around(path, PATIENCE)
        for commit in islice(repository.log(path), MOST):
            data = repository.data(commit.id, path)
            if data is not None:
                yield Committed(commit.id, data)
    except InputError:
        return
