"""The engine as a driver needs it: what is deployed, a preview, an update, and the tools of a recovery.

The real one is `automation.PulumiEngine`. A dead engine, a lock and a missing CLI are words here, never a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from inference_rollouts.drive.state import Deployed
from inference_rollouts.rehearsal.engine import Operation

OnOperation = Callable[[Operation], None]
"""Told of every operation as it begins."""


class EngineFailure(Exception):
    """The engine did not do what it was asked for. The text says why, and is never empty."""


class Locked(EngineFailure):
    """Somebody else's update holds the stack, or a dead runner's lock does; the text is Pulumi's, and names who."""


@dataclass(frozen=True)
class Update:
    """How a preview or an update ended.

    Attributes:
        ended: `refused` is for a guard or a policy, which comes before the provider is called; `failed` for anything else.
        operations: what it does, or did until it ended.
        reasons: why it did not get through, a sentence each; empty only when it is done.
    """

    ended: Literal["done", "refused", "failed", "locked", "cancelled"]
    operations: tuple[Operation, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether it got through."""
        return self.ended == "done"


class Engine(Protocol):
    """One stack of one Pulumi project."""

    def deployed(self) -> Deployed:
        """What the state says stands. Takes no lock.

        Raises:
            EngineFailure: when the state cannot be read.
        """
        ...

    def preview(self, config: Path) -> Update:
        """What an update with another stack file would do; changes nothing, and takes no lock.

        Args:
            config: the stack file to preview.
        """
        ...

    def up(self, message: str, on_operation: OnOperation, config: Path | None = None) -> Update:
        """Update to the stack file as it stands on disk. Returns when it has ended.

        Args:
            message: for Pulumi's history.
            on_operation: told of each operation as it begins.
            config: another stack file, to update to that.
        """
        ...

    def refresh(self, urns: Sequence[str], *, clear_pending_creates: bool) -> None:
        """Read some resources anew into the state; pending operations but for creates leave the state with it.

        Args:
            urns: the resources.
            clear_pending_creates: drop pending creates from the state, too.

        Raises:
            Locked: when the stack is locked.
            EngineFailure: when it did not work.
        """
        ...

    def cancel(self) -> None:
        """Take the stack's lock away, whoever holds it; without a lock it does nothing.

        Raises:
            EngineFailure: when it did not work.
        """
        ...

    def backup(self, path: Path) -> None:
        """Write the state to a new file, secrets still encrypted.

        Raises:
            EngineFailure: when it did not work.
        """
        ...
