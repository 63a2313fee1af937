"""The rollout that is driven: where it stands in its stack file, and how it is written to another stage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference_rollouts.drive import words
from inference_rollouts.drive.state import Deployed
from inference_rollouts.edit import operations, target
from inference_rollouts.edit.document import Document
from inference_rollouts.edit.meaning import Place
from inference_rollouts.edit.target import Target
from inference_rollouts.edit.writing import replace_file
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.plan import ModelServiceArgs, plan_for
from inference_rollouts.record import Record, Split
from inference_rollouts.settings import Adapter, AdapterRollout, Service, Stack
from inference_rollouts.settings.stack_file import StackFile, read
from inference_rollouts.stages import Stage


@dataclass(frozen=True)
class Subject:
    """One rollout of a stack file.

    Attributes:
        path: the file.
        stack: what the command line calls the stack.
        place: whose rollout it is.
    """

    path: Path
    stack: str
    place: Place

    @classmethod
    def under_way(cls, file: StackFile, stack: str, wanted: str | None) -> Subject:
        """The rollout that SERVICE[/ADAPTER] means, or the only one of the file.

        Raises:
            InputError: when there is none, or more than one without a name.
        """
        return cls(file.path, stack, target.under_way(file.settings(), stack, wanted).place)

    # --- the file -----------------------------------------------------------------------------------------------------

    def settings(self) -> Stack:
        """The file's settings, read now.

        Raises:
            InputError: when it cannot be read, or has problems.
        """
        return read(self.path).settings()

    def target(self) -> Target:
        """The rollout as the file says it, read now.

        Raises:
            InputError: as `settings`; or when the rollout has left the file.
        """
        return target.under_way(self.settings(), self.stack, str(self.place))

    @property
    def rollout(self) -> AdapterRollout:
        """Its conditions as they are written, read now."""
        return self.rollout_in(_bytes(self.path))

    def rollout_in(self, data: bytes) -> AdapterRollout:
        """Its conditions as these bytes of the file have them.

        Raises:
            InputError: when they cannot be read, or the rollout is not in them.
        """
        settings = operations.parsed(self.path, data).settings()
        holder: Service | Adapter | None = settings.services.get(self.place.service)
        if holder and self.place.adapter is not None:
            holder = holder.adapters.get(self.place.adapter)
        if holder is None or holder.rollout is None:
            raise self._left()
        return holder.rollout

    def _left(self) -> InputError:
        return InputError([Problem("", words.rollout_left(str(self.place)), str(self.path))])

    def edited(self, stage: Stage) -> tuple[bytes, bytes]:
        """The bytes of the file now, and with the rollout at a stage.

        Raises:
            InputError: when it cannot be edited safely, or the rollout has left the file.
        """
        data = _bytes(self.path)
        return data, self.at(data, stage)

    def at(self, data: bytes, stage: Stage) -> bytes:
        """The bytes of a file with the rollout at a stage.

        Raises:
            InputError: as `edited`.
        """
        file = operations.parsed(self.path, data)
        try:
            there = self.place.block(file.config)["rollout"]["stage"]
        except (KeyError, TypeError):
            raise self._left() from None
        if there == stage:
            return data
        return operations.set_stage(file, Document.of(self.path, data), self.place, stage).data

    def write(self, stage: Stage) -> bool:
        """Put the file to a stage, in one step.

        Returns:
            Whether that changed it.

        Raises:
            InputError: when somebody else has written it meanwhile, or it cannot be written.
        """
        old, new = self.edited(stage)
        if old != new:
            replace_file(self.path, old, new)
        return old != new

    @contextmanager
    def draft(self, stage: Stage, data: bytes | None = None) -> Iterator[Path]:
        """A copy of the file at a stage, beside which the file itself stays as it is.

        Args:
            stage: for the copy.
            data: what was in the file before; default: what is in it now.
        """
        with tempfile.TemporaryDirectory(prefix="rollout-") as folder:
            copy = Path(folder) / self.path.name
            copy.write_bytes(self.edited(stage)[1] if data is None else self.at(data, stage))
            yield copy

    # --- what it means ------------------------------------------------------------------------------------------------

    def planned(self, stage: Stage) -> tuple[Stack, ModelServiceArgs]:
        """The settings, and the service's plan, with the rollout at a stage."""
        settings = operations.parsed(self.path, self.edited(stage)[1]).settings()
        plan = plan_for(settings)
        return settings, next(service for service in plan.services if service.name == self.place.service)

    def split_of(self, record: Record) -> Split | None:
        """The rollout's split in a record."""
        return record.pools if self.place.adapter is None else record.adapters.get(self.place.adapter)

    def deployed(self, state: Deployed) -> Split | None:
        """The split that is deployed; None where the service, or the adapter, does not stand yet."""
        record = state.records.get(self.place.service)
        return self.split_of(record) if record else None

    def others(self, state: Deployed) -> list[str]:
        """Every other service and adapter whose stage in the file is not the deployed one; what does not stand yet is none."""
        moved = []
        for other in target.targets(self.settings(), self.stack):
            split = Subject(self.path, self.stack, other.place).deployed(state)
            if other.place != self.place and split is not None and split.stage != other.split.stage:
                moved.append(other.what)
        return moved

    @property
    def project(self) -> str | None:
        """The Google Cloud project of the cluster, where the file says it."""
        file = read(self.path)
        return file.settings().cluster.project or file.config.get("gcp:project")

    def command(self, verb: str) -> str:
        """The command line of a verb of `rollout` for it."""
        return f"rollout {verb} {self.stack} {self.place}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise InputError([Problem("", f"cannot be read: {e.strerror or e}", str(path))]) from None
