"""What Git knows of a stack file: its text at another commit, where a branch began, and who changed it when and why.

Reads only, by the `git` command, whatever the user's configuration makes of its output.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inference_rollouts.edit import report_words
from inference_rollouts.errors import InputError, Problem

FIELDS = "%H%x00%aI%x00%an%x00%s"
"""Commit, author date, author, subject."""


@dataclass(frozen=True)
class Commit:
    """One commit that touched a file.

    Attributes:
        id: its full hash.
        date: author date, ISO 8601 with its offset.
        author: author's name.
        subject: first line of its message.
    """

    id: str
    date: str
    author: str
    subject: str


@dataclass(frozen=True)
class Repository:
    """A Git repository with a working tree.

    Attributes:
        root: top of the working tree.
    """

    root: Path

    @classmethod
    def around(cls, path: Path) -> Repository:
        """The repository that a file is, or would be, in.

        Raises:
            InputError: when there is none.
        """
        folder = next(parent for parent in path.resolve().parents if parent.is_dir())
        found = _git(folder, "rev-parse", "--show-toplevel")
        if found.returncode or not found.stdout.strip():
            raise InputError([Problem("", report_words.no_repository(_why(found)), str(path))])
        return cls(Path(os.fsdecode(found.stdout.rstrip(b"\n"))))

    def commit(self, ref: str) -> str | None:
        """The commit that a name means; None where it means none."""
        found = _git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return None if found.returncode else found.stdout.decode().strip()

    def data(self, commit: str, path: Path) -> bytes | None:
        """A file's bytes at a commit; None where it was not there.

        Raises:
            InputError: when it was there and Git cannot tell its bytes.
        """
        inside = self._inside(path)
        if not _git(self.root, "ls-tree", commit, "--", inside).stdout:
            return None
        found = _git(self.root, "cat-file", "blob", f"{commit}:{inside}")
        if found.returncode:
            raise InputError([Problem("", report_words.git_failed(_why(found)), str(path))])
        return found.stdout

    def changed_since(self, commit: str, folder: Path) -> list[Path]:
        """The files of a folder that the working tree has changed, added or taken away since a commit, by path.

        Raises:
            InputError: when Git cannot tell.
        """
        inside = self._inside(folder)
        asked = ("diff", "--name-only", "--no-renames", "-z", commit, "--", inside)
        new = ("ls-files", "--others", "--exclude-standard", "-z", "--", inside)
        names: set[str] = set()
        for command in (asked, new):
            found = _git(self.root, *command)
            if found.returncode:
                raise InputError([Problem("", report_words.git_failed(_why(found)), str(folder))])
            names.update(os.fsdecode(name) for name in found.stdout.split(b"\0") if name)
        return sorted(self.root / name for name in names)

    def main_branch(self) -> str | None:
        """The default branch of origin, as this clone knows it; None without one."""
        found = _git(self.root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        names = [found.stdout.decode().strip()] if not found.returncode else ["origin/main", "origin/master"]
        return next((name for name in names if self.commit(name)), None)

    def branched_from(self, branch: str) -> str | None:
        """The newest commit that HEAD and a branch share; None where this clone has none."""
        found = _git(self.root, "merge-base", "HEAD", branch)
        return None if found.returncode else found.stdout.decode().strip()

    def log(self, path: Path) -> Iterator[Commit]:
        """The commits that changed a file, newest first.

        Raises:
            InputError: when Git cannot tell.
        """
        command = ("log", "-z", f"--format={FIELDS}", "--no-show-signature", "--no-color", "HEAD", "--", self._inside(path))
        found = _git(self.root, *command)
        if found.returncode:
            raise InputError([Problem("", report_words.git_failed(_why(found)), str(path))])
        # Fields are separated as commits are: by a zero byte, which nothing in them can hold.
        fields = found.stdout.decode(errors="replace").split("\0")
        for i in range(0, len(fields) - 3, 4):
            yield Commit(*fields[i : i + 4])

    def parent(self, commit: str) -> str | None:
        """The commit before; None for a first one."""
        return self.commit(f"{commit}^")

    def _inside(self, path: Path) -> str:
        """A file's path as Git says it."""
        return path.resolve().relative_to(self.root.resolve()).as_posix()


def _why(found: subprocess.CompletedProcess[bytes]) -> str:
    """What Git says, in one line."""
    return " ".join(found.stderr.decode(errors="replace").split()).removeprefix("fatal: ")


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=False, env=environment)
    except OSError as e:
        raise InputError([Problem("", report_words.no_git(e.strerror or str(e)))]) from None
