"""Where `rollback --now` has its names from: the stack file, or where that cannot be used, its last committed text that can.

A problem in the file, also in another service, must not keep traffic from going back: the cluster needs the names alone. The
file is left as it is then, and what to mend is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from inference_rollouts.cli import edit
from inference_rollouts.cli.edit import Opened
from inference_rollouts.cli.project import plan_of, stack_path
from inference_rollouts.edit import committed, target
from inference_rollouts.edit.operations import parsed
from inference_rollouts.edit.target import Target
from inference_rollouts.errors import InputError, Problem, path_of
from inference_rollouts.plan import ModelServiceArgs, Plan
from inference_rollouts.stages import Stage


@dataclass(frozen=True)
class Names:
    """A rollout, and what its objects are called.

    Attributes:
        opened: the stack file, with the text that the names are from.
        found: the rollout.
        service: its plan.
        commit: the commit of that text; empty where it is the file as it stands.
        broken: why the file as it stands cannot be used.
    """

    opened: Opened
    found: Target
    service: ModelServiceArgs
    commit: str = ""
    broken: InputError | None = None

    @property
    def left_alone(self) -> str:
        """Before the question: what becomes of the file."""
        return f"{self.opened.file.path}: left alone: it has problems; the names are those of commit {self.commit[:10]}"

    def to_mend(self, stage: Stage) -> str:
        """Afterwards: what hinders, and what is to be done."""
        at = path_of(*self.found.place.path, "rollout", "stage")
        return f"{self.broken}\n{self.left_alone}; mend it, set {at} to {stage}, and deploy that"


def find(stack: str, name: str | None) -> Names:
    """The rollout that SERVICE[/ADAPTER] means, or the only one.

    Raises:
        InputError: when there is no such file or rollout; when neither the file nor a committed text of it can be used.
    """
    try:
        opened = edit.opened(stack)
        plan = plan_of(opened.file)
    except InputError as e:
        return _committed(stack, name, e)
    return _named(opened, plan, name)


def _named(opened: Opened, plan: Plan, name: str | None, commit: str = "", broken: InputError | None = None) -> Names:
    found = target.under_way(opened.file.settings(), opened.name, name)
    service = next(service for service in plan.services if service.name == found.place.service)
    return Names(opened, found, service, commit, broken)


def _committed(stack: str, name: str | None, broken: InputError) -> Names:
    """By the newest committed text that can be used."""
    path = stack_path(stack)
    if not path.is_file():
        raise broken
    for text in committed.texts(path):
        try:
            opened = Opened(stack, parsed(path, text.data), text.data)
            plan = plan_of(opened.file)
        except InputError:
            continue
        try:
            return _named(opened, plan, name, text.commit, broken)
        except InputError as e:
            why = f"cannot be used, and in its text at commit {text.commit[:10]}, which can be: {e}"
            raise InputError([*broken.problems, Problem("", why, str(path))]) from None
    why = "cannot be used, and Git has no text of it that can be; mend what is said here, then try again"
    raise InputError([*broken.problems, Problem("", why, str(path))])
