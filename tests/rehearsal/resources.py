"""Registrations and recordings made by hand, for rules that no stack of ours ever needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference_rollouts.rehearsal.engine import Deployed, Preview, State, preview
from inference_rollouts.rehearsal.recording import Recording, Registration

PROVIDER = "pulumi:providers:kubernetes"


def resource(type_: str, name: str, inputs: Mapping[str, Any] | None = None, **options: Any) -> Registration:
    """A custom resource, or with `custom=False` a component; its URN is its type and name."""
    parent = options.get("parent", "")
    custom = options.pop("custom", True)
    protect = options.pop("protect", False)
    options.pop("parent", None)
    return Registration(f"{parent}${type_}::{name}", type_, name, custom, parent, inputs or {}, protect, **options)


def kubernetes(kind: str, name: str, more: Mapping[str, Any] | None = None, **options: Any) -> Registration:
    """A Kubernetes object: `apps/v1:Deployment`."""
    inputs = {"metadata": {"name": name, "namespace": "default"}, **(more or {})}
    return resource(f"kubernetes:{kind}", name, inputs, **options)


@dataclass
class Hook:
    """A hook as it was registered."""

    on_dry_run: bool = True


@dataclass
class Scripted(Recording):
    """A recording whose hooks answer as the test says; `asked` lists the calls."""

    answers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def call_hook(self, hook: str, registration: Registration, old_inputs: Mapping[str, Any]) -> str:
        self.asked.append(f"{hook} {registration.name}")
        return self.answers.get(hook, "")


def program(*registrations: Registration, **answers: str) -> Scripted:
    """What a program registers; each answer is a hook of that name, and what it says."""
    hooks = {hook: Hook() for r in registrations for hook in r.before_update}
    return Scripted(resources={r.urn: r for r in registrations}, hooks=hooks, answers=answers)


def deployed(*registrations: Registration, init_errors: tuple[Registration, ...] = ()) -> dict[str, Deployed]:
    """A state."""
    return {r.urn: Deployed(r, init_errors=r in init_errors) for r in registrations}


def shown(state: State, *registrations: Registration, **answers: str) -> Preview:
    """The preview of a program on a state."""
    return preview(state, program(*registrations, **answers))


def ops(result: Preview) -> list[str]:
    """Operation and name, in order."""
    return [f"{o.op} {o.name}" for o in result.operations]


__all__ = ["PROVIDER", "Hook", "Scripted", "deployed", "kubernetes", "ops", "program", "replace", "resource", "shown"]
