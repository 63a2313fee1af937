"""`rollout status`: where every rollout stands, from the stack files alone; as text, JSON, or one Markdown page.

Beside each rollout under way stands the plain kubectl line of an emergency rollback. What the cluster says: status_live.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from inference_rollouts import stages
from inference_rollouts.cli.app import print_json
from inference_rollouts.cli.project import find_project, open_stack, plan_of
from inference_rollouts.edit.changes import Change, changes
from inference_rollouts.edit.costs import Nodes, nodes_of
from inference_rollouts.edit.meaning import Place
from inference_rollouts.errors import InputError, Problem
from inference_rollouts.observe.access import context_of
from inference_rollouts.observe.patch_by_hand import lines
from inference_rollouts.plan import ModelServiceArgs, Plan
from inference_rollouts.record import Split
from inference_rollouts.settings import Service, Stack
from inference_rollouts.settings.kind import built_versions
from inference_rollouts.settings.stack_file import StackFile
from inference_rollouts.wording import KIND

BAR = 20
"""Cells of a bar of 100 %."""


@dataclass(frozen=True)
class Standing:
    """A stack file with what it says should stand."""

    file: StackFile
    settings: Stack
    plan: Plan

    @property
    def splits(self) -> list[Change]:
        """Every split, each with the kind of its rollout."""
        return changes(None, (self.settings, self.plan))

    @property
    def project(self) -> str | None:
        """The Google Cloud project, where the file says it."""
        return self.settings.cluster.project or self.file.config.get("gcp:project")

    def by_hand(self, place: Place) -> list[str]:
        """The kubectl lines that roll a rollout back without anything else; none where there is nothing to roll back."""
        service = next(service for service in self.plan.services if service.name == place.service)
        return lines(service, place.adapter, context_of(self.settings.cluster, self.project))


def read_all(names: Sequence[str]) -> tuple[list[Standing], list[Problem]]:
    """The stacks that can be read, and what is wrong with the others: one broken file hides no other.

    Args:
        names: stacks or paths; none for all of the project.

    Raises:
        InputError: when there is no project to take all of, or it has no stacks.
    """
    found: list[Standing] = []
    problems: list[Problem] = []
    for name in names or _all_names():
        try:
            file = open_stack(name)
            settings = file.settings()
            found.append(Standing(file, settings, plan_of(file, settings)))
        except InputError as e:
            problems += e.problems
    return found, problems


def _all_names() -> list[str]:
    project = find_project()
    names = project.stack_names()
    if not names:
        raise InputError([Problem("", "holds no stack file, as Pulumi.prod.yaml", str(project.stacks))])
    return names


def next_of(split: Split) -> stages.Stage | str | None:
    """The next rung, `finish` after the last one; None without a rollout."""
    if split.to is None:
        return None
    ladder = stages.ladder(split.steps)
    return [*ladder, "finish"][ladder.index(split.stage) + 1]


def protected(split: Split, version: str) -> bool:
    """Whether a version may not be taken away at this stage."""
    if split.decommission:
        return False
    return stages.protects_stable(split.stage) if version == split.serving else stages.protects_canary(split.stage)


# --- JSON -------------------------------------------------------------------------------------------------------------


def print_documents(names: Sequence[str], shown: list[dict[str, Any]]) -> None:
    """One document for one stack that was named, else a list."""
    print_json(shown[0] if len(names) == 1 and shown else shown)


def as_json(standing: Standing) -> dict[str, Any]:
    """A stack as plain JSON values."""
    nodes = {(found.service, found.version): found for found in nodes_of(standing.settings, standing.plan)}
    services = {service.name: service for service in standing.plan.services}
    return {
        "stack": standing.file.stack,
        "file": str(standing.file.path),
        "services": [
            {
                "service": name,
                "models": list(settings.models or (name,)),
                **_split_json(standing, Place(name), [nodes.get((name, v)) for v in _names(services[name])]),
                "templates": _templates(settings),
                "adapters": [{"adapter": key, **_split_json(standing, Place(name, key), [])} for key in settings.adapters],
                "notes": list(services[name].notes),
            }
            for name, settings in standing.settings.services.items()
        ],
    }


def _names(service: ModelServiceArgs) -> list[str]:
    return [version.name for version in service.versions]


def _templates(service: Service) -> list[str]:
    """Versions that no stage builds."""
    return [name for name in service.versions if name not in built_versions(service)]


def _split_json(standing: Standing, place: Place, nodes: Iterable[Nodes | None]) -> dict[str, Any]:
    change = next(change for change in standing.splits if change.place == place)
    split = change.after
    assert split is not None, "a stack that is read has the splits that it is asked for"
    sizes = {found.version: found.to_json() for found in nodes if found}
    return {
        "kind": change.kind,
        "serving": split.serving,
        "to": split.to,
        "stage": split.stage,
        "next": next_of(split),
        "steps": list(split.steps),
        "versions": [
            {"version": name, "weight": weight, "protected": protected(split, name), "nodes": sizes.get(name)}
            for name, weight in _weights(split)
        ],
        "byHand": standing.by_hand(place),
    }


def _weights(split: Split) -> list[tuple[str, int | None]]:
    """Every version that stands with its weight; None for one that stands outside the split."""
    idle = [(split.serving, None)] if split.serving not in split.weights else []
    return [*split.weights.items(), *idle]


# --- text -------------------------------------------------------------------------------------------------------------


def render(standings: Iterable[Standing], console: Console) -> None:
    """Stacks as text."""
    for i, standing in enumerate(standings):
        if i:
            console.print()
        for line in text(standing):
            console.print(line, soft_wrap=True)


def text(standing: Standing) -> Iterator[Text]:
    """A stack, line by line."""
    yield Text.assemble((standing.file.stack, "bold"), f"  {standing.file.path}")
    for change in standing.splits:
        yield from _split_text(standing, change)
    for service in standing.plan.services:
        for note in service.notes:
            yield Text.assemble("  ", ("note  ", "cyan"), note)


def _split_text(standing: Standing, change: Change) -> Iterator[Text]:
    split = change.after
    assert split is not None, "what stands has a split"
    yield Text.assemble("  ", (change.what, "bold"), f"  {headline(change)}")
    width = max(len(name) for name, _ in _weights(split))
    sizes = {} if change.place.adapter else {n.version: n for n in nodes_of(standing.settings, standing.plan)}
    for name, weight in _weights(split):
        held = "protected" if protected(split, name) else "not protected"
        size = f", {_size(sizes[name])}" if name in sizes else ""
        yield Text.assemble("    ", bar(name, weight, width, canary=name == split.to), "  ", (held + size, "dim"))
    templates = [] if change.place.adapter else _templates(standing.settings.services[change.place.service])
    if templates:
        yield Text(f"    not built: {', '.join(templates)}", style="dim")
    for line in standing.by_hand(change.place):
        yield Text(f"    by hand: {line}", style="dim")


def headline(change: Change) -> str:
    """Where a split that stands is, in a few words."""
    split = change.after
    assert split is not None, "what stands has a split"
    if split.to is None:
        return f"baseline, {split.serving} serves" + (", decommission: true" if split.decommission else "")
    kind = KIND.get(change.kind or "", "rollout")
    return f"{kind} {split.serving} → {split.to}, stage {split.stage}, next {next_of(split)}"


def bar(version: str, weight: int | None, width: int, *, canary: bool) -> Text:
    """A weight as a bar; None for a version that stands outside the split."""
    cells = round((weight or 0) * BAR / 100)
    filled = max(cells, 1) if weight else 0
    share = "idle " if weight is None else f"{weight:>3} %"
    return Text.assemble(
        f"{version:<{width}}  ", ("█" * filled, "green" if canary else "blue"), ("·" * (BAR - filled), "dim"), f" {share}"
    )


def _size(nodes: Nodes) -> str:
    limit = f" to {nodes.most}" if nodes.most is not None and nodes.most != nodes.least else ""
    return f"{nodes.least}{limit} × {nodes.machine_type} ({nodes.per_node} {nodes.accelerator} each)"


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(standings: Iterable[Standing]) -> str:
    """One page of what runs where."""
    lines = [
        "# What runs where",
        "",
        "From the stack files: what should stand, not what a cluster was asked.",
        "",
        "| stack | what | runs | stage | next | nodes |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(row for standing in standings for row in _rows(standing))]) + "\n"


def _rows(standing: Standing) -> Iterator[str]:
    sizes = {(n.service, n.version): n for n in nodes_of(standing.settings, standing.plan)}
    for change in standing.splits:
        split = change.after
        assert split is not None, "what stands has a split"
        shares = [f"{name} {'idle' if weight is None else f'{weight} %'}" for name, weight in _weights(split)]
        kind = f" ({KIND[change.kind]})" if change.kind in KIND else ""
        nodes = [] if change.place.adapter else [sizes.get((change.place.service, name)) for name, _ in _weights(split)]
        cells = [
            standing.file.stack,
            change.what + kind,
            ", ".join(shares),
            str(split.stage),
            str(next_of(split) or ""),
            ", ".join(_size(found) for found in nodes if found),
        ]
        escaped = [cell.replace("|", r"\|") for cell in cells]
        yield f"| {' | '.join(escaped)} |"
