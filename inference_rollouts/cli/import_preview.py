"""The first preview after an import, before anything is imported: the real program on a state made of what exists.

Compared is what would change in the cluster, so without the defaults that the API server fills in. Pulumi's own preview shows
more: of a custom resource it knows only the name after an import, and of a built-in kind the defaults too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference_rollouts.rehearsal.engine import Deployed, Operation, Preview, preview
from inference_rollouts.rehearsal.program import Recording, Registration, run
from inference_rollouts.takeover import import_file, normal
from inference_rollouts.takeover.import_file import Imported
from inference_rollouts.takeover.inventory import Inventory

TEMPLATE = "spec.template"


@dataclass(frozen=True)
class FirstPreview:
    """What the first preview shows.

    Attributes:
        recording: what the program registers.
        imported: what of it exists.
        created: what of it does not.
        preview: the operations.
    """

    recording: Recording
    imported: tuple[Imported, ...]
    created: tuple[str, ...]
    preview: Preview

    def of(self, op: str) -> list[Operation]:
        """The operations of a kind, on what is no component."""
        return [o for o in self.preview.operations if o.op == op and self.recording.resources[o.urn].custom]

    @property
    def restarts(self) -> list[Operation]:
        """Operations that change a pod template."""
        return [o for o in self.of("update") if o.kind == "Deployment" and any(path.startswith(TEMPLATE) for path in o.diff)]

    @property
    def harmless(self) -> bool:
        """Whether nothing is replaced, deleted, refused or restarted."""
        bad = [o for o in self.preview.operations if o.op in ("replace", "delete", "refuse")]
        return not bad and not self.restarts


def first_preview(project: Path, stack: str, config: Mapping[str, Any], inventory: Inventory) -> FirstPreview:
    """Run the program on what exists."""
    found: list[FirstPreview] = []

    def at_the_end(recording: Recording) -> None:
        imported = import_file.imported(recording.resources, inventory)
        absent = import_file.created(recording.resources, inventory)
        found.append(FirstPreview(recording, tuple(imported), tuple(absent), _previewed(recording, imported)))

    run(project, stack, config, at_the_end)
    return found[0]


def _previewed(recording: Recording, imported: list[Imported]) -> Preview:
    exists = {one.registered.urn: one.exists.manifest for one in imported}
    wanted = {urn: _effective(r) if urn in exists else r for urn, r in recording.resources.items()}
    # What the targeted update has created stands as the program registers it; what was imported, as it is, and protected.
    state = {urn: Deployed(r) for urn, r in wanted.items() if not r.custom or r.type.startswith("pulumi:providers:")}
    state |= {u: Deployed(replace(wanted[u], inputs=normal.effective(m), protect=True)) for u, m in exists.items()}
    compared = Recording(wanted, recording.hooks, recording.outputs, recording.exports, recording.twice)
    return preview(state, compared)


def _effective(registration: Registration) -> Registration:
    return replace(registration, inputs=normal.effective(registration.inputs))
