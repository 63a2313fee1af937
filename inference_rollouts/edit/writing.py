"""Writing a stack file in one step: whoever reads it, or stops the writer, finds the old file or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from inference_rollouts.edit import words
from inference_rollouts.errors import InputError, Problem


def replace_file(path: Path, old: bytes, new: bytes) -> None:
    """Write a file that still holds what was read.

    A link stays a link: the file behind it is replaced. A writer that is killed may leave `.<name>.<random>.tmp` beside it.

    Args:
        path: the file.
        old: what was read from it.
        new: what to write.

    Raises:
        InputError: when it holds something else by now, or cannot be written.
    """
    file = path.resolve()
    try:
        if not os.access(file, os.W_OK):
            raise PermissionError(None, "it is read-only")
        draft = _draft(file, new, stat.S_IMODE(file.stat().st_mode))
        try:
            if file.read_bytes() != old:
                raise InputError([Problem("", words.changed_meanwhile(), str(path))])
            os.replace(draft, file)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as e:
        raise InputError([Problem("", words.not_written(e.strerror or str(e)), str(path))]) from None
    _settle(file.parent)


def create_file(path: Path, data: bytes) -> None:
    """Write a new file; never over one that came up meanwhile.

    Args:
        path: the file; its folder is there.
        data: what to write.

    Raises:
        InputError: when it stands by now, or cannot be written.
    """
    umask = os.umask(0)
    os.umask(umask)
    try:
        draft = _draft(path, data, 0o666 & ~umask)
        try:
            path.hardlink_to(draft)  # which, unlike a rename, never takes the place of a file
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise InputError([Problem("", words.changed_meanwhile(), str(path))]) from None
    except OSError as e:
        raise InputError([Problem("", words.not_written(e.strerror or str(e)), str(path))]) from None
    _settle(path.parent)


def _draft(file: Path, data: bytes, mode: int) -> Path:
    """A complete file beside the one it will become, on disk."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fchmod(out.fileno(), mode)
            os.fsync(out.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _settle(folder: Path) -> None:
    """The new name on disk, too; the file is replaced already, so a system that cannot do this changes nothing."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
