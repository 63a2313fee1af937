"""What Git knows of a stack file: its text at another commit, where a branch began, and who changed it when and why.

Reads only, by the `git` command, whatever the user's configuration makes of its output. A stack file may be a symbolic link: its
text is that of the file which it leads to, in the working tree and at every commit.
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

LINK = b"120000"
"""Git's mode of a symbolic link."""


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
        patience: seconds that each question to Git may take; None for as long as it takes.
    """

    root: Path
    patience: float | None = None

    @classmethod
    def around(cls, path: Path, patience: float | None = None) -> Repository:
        """The repository that a file is, or would be, in.

        Raises:
            InputError: when there is none.
        """
        folder = next(parent for parent in _placed(path).parents if parent.is_dir())
        found = _git(folder, "rev-parse", "--show-toplevel", patience=patience)
        if found.returncode or not found.stdout.strip():
            raise InputError([Problem("", report_words.no_repository(_why(found)), str(path))])
        return cls(Path(os.fsdecode(found.stdout.rstrip(b"\n"))), patience)

    def commit(self, ref: str) -> str | None:
        """The commit that a name means; None where it means none."""
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return None if found.returncode else found.stdout.decode().strip()

    def data(self, commit: str, path: Path) -> bytes | None:
        """A file's bytes at a commit; None where it was not there, or was a link to no file of the commit.

        Raises:
            InputError: when it was there and Git cannot tell its bytes.
        """
        inside = self._inside(path)
        entry = self._git("ls-tree", commit, "--", inside).stdout
        if not entry:
            return None
        blob = self._led_to(commit, inside) if entry.startswith(LINK) else f"{commit}:{inside}"
        if blob is None:
            return None
        found = self._git("cat-file", "blob", blob)
        if found.returncode:
            raise InputError([Problem("", report_words.git_failed(_why(found)), str(path))])
        return found.stdout

    def _led_to(self, commit: str, inside: str) -> str | None:
        """The id of the file that a link leads to at a commit; None where that is no file of the commit."""
        asked = os.fsencode(f"{commit}:{inside}\n")
        words = self._git("cat-file", "--batch-check", "--follow-symlinks", given=asked).stdout.split()
        return words[0].decode() if words[1:2] == [b"blob"] else None

    def changed_since(self, commit: str, folder: Path) -> list[Path]:
        """The files of a folder that the working tree has changed, added or taken away since a commit, by path.

        A link is among them also when only the file that it leads to is another one, or has other bytes.

        Raises:
            InputError: when Git cannot tell.
        """
        inside = self._inside(folder.resolve())
        asked = ("diff", "--name-only", "--no-renames", "-z", commit, "--", inside)
        new = ("ls-files", "--others", "--exclude-standard", "-z", "--", inside)
        names: set[str] = set()
        for command in (asked, new):
            found = self._git(*command)
            if found.returncode:
                raise InputError([Problem("", report_words.git_failed(_why(found)), str(folder))])
            names.update(os.fsdecode(name) for name in found.stdout.split(b"\0") if name)
        changed = {self.root / name for name in names}
        return sorted(changed | {link for link in self._links(commit, folder) if self._leads_elsewhere(commit, link)})

    def _links(self, commit: str, folder: Path) -> Iterator[Path]:
        """The links in a folder that are there at a commit and in the working tree; Git compares where they point, no further."""
        inside = self._inside(folder.resolve())
        entries = self._git("ls-tree", "-z", "-r", commit, "--", inside).stdout.split(b"\0")
        for link in (self.root / os.fsdecode(entry.partition(b"\t")[2]) for entry in entries if entry.startswith(LINK)):
            if link.is_symlink():
                yield link

    def _leads_elsewhere(self, commit: str, link: Path) -> bool:
        """Whether a link leads to other bytes than at a commit; those of the working tree are taken as Git would store them."""
        end = link.resolve()
        # What stands outside is in no commit, so there is nothing to compare with.
        inside = end.is_file() and end.is_relative_to(self.root.resolve())
        here = self._git("hash-object", "--", str(end)).stdout.decode().strip() if inside else None
        return self._led_to(commit, self._inside(link)) != here

    def main_branch(self) -> str | None:
        """The default branch of origin, as this clone knows it; None without one."""
        found = self._git("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        names = [found.stdout.decode().strip()] if not found.returncode else ["origin/main", "origin/master"]
        return next((name for name in names if self.commit(name)), None)

    def branched_from(self, branch: str) -> str | None:
        """The newest commit that HEAD and a branch share; None where this clone has none."""
        found = self._git("merge-base", "HEAD", branch)
        return None if found.returncode else found.stdout.decode().strip()

    def log(self, path: Path, upto: str = "HEAD") -> Iterator[Commit]:
        """The commits that changed a file, or what it leads to now, newest first.

        Args:
            path: the file.
            upto: the newest commit that is asked for.

        Raises:
            InputError: when Git cannot tell.
        """
        command = ("log", "-z", f"--format={FIELDS}", "--no-show-signature", "--no-color", upto, "--", *self._paths(path))
        found = self._git(*command)
        if found.returncode:
            raise InputError([Problem("", report_words.git_failed(_why(found)), str(path))])
        # Fields are separated as commits are: by a zero byte, which nothing in them can hold.
        fields = found.stdout.decode(errors="replace").split("\0")
        for i in range(0, len(fields) - 3, 4):
            yield Commit(*fields[i : i + 4])

    def parent(self, commit: str) -> str | None:
        """The commit before; None for a first one."""
        return self.commit(f"{commit}^")

    def _git(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return _git(self.root, *arguments, given=given, patience=self.patience)

    def _paths(self, path: Path) -> list[str]:
        """A file's path as Git says it, and that of the file which a link leads to, where the repository has it."""
        inside, end = self._inside(path), path.resolve()
        within = end.is_relative_to(self.root.resolve())
        return list(dict.fromkeys([inside, *([end.relative_to(self.root.resolve()).as_posix()] if within else [])]))

    def _inside(self, path: Path) -> str:
        """A file's path as Git says it; a link's own."""
        return _placed(path).relative_to(self.root.resolve()).as_posix()


def _placed(path: Path) -> Path:
    """Where a file stands, its folder's links followed and its own not."""
    return path.parent.resolve() / path.name


def _why(found: subprocess.CompletedProcess[bytes]) -> str:
    """What Git says, in one line."""
    return " ".join(found.stderr.decode(errors="replace").split()).removeprefix("fatal: ")


def _git(folder: Path, *arguments: str, given: bytes = b"", patience: float | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, input=given, capture_output=True, check=False, env=environment, timeout=patience)
    except subprocess.TimeoutExpired:
        raise InputError([Problem("", report_words.git_failed(f"no answer within {patience:g} s"))]) from None
    except OSError as e:
        raise InputError([Problem("", report_words.no_git(e.strerror or str(e)))]) from None
