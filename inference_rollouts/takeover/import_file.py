"""The file for `pulumi import`: every object that the program registers and that exists, under the name the program gives it.

Parents are components, and `pulumi import` makes those empty, without the record that the guard reads: so they are created by an
update of their own before the import, and the file names them by URN (pulumi 3.272, cmd/pulumi/operations/import.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from inference_rollouts.takeover.inventory import Existing, Inventory

KUBERNETES = "kubernetes:"
PROVIDER = "cluster"
"""Name of the kubernetes provider in the file."""

TARGETS = ("**pulumi:pulumi:Stack::*", "**inference-rollouts:index:*::*", "**pulumi:providers:kubernetes::*")
"""What the first update creates: the stack, all components and the provider. `*` stops at a colon, so no object of theirs matches
(pulumi 3.272, resource/deploy/target.go)."""


class Registered(Protocol):
    """A resource as the program registers it."""

    @property
    def urn(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def custom(self) -> bool: ...  # noqa: D102
    @property
    def parent(self) -> str: ...  # noqa: D102
    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def inputs(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def protect(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True)
class Imported:
    """An object that exists, and what the program registers for it."""

    registered: Registered
    exists: Existing

    @property
    def id(self) -> str:
        """Its id for the kubernetes provider: namespace and name."""
        meta = self.registered.inputs["metadata"]
        return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def objects(resources: Mapping[str, Registered]) -> Iterator[Registered]:
    """The Kubernetes objects among what is registered, in a fixed order."""
    for urn in sorted(resources):
        if resources[urn].custom and resources[urn].type.startswith(KUBERNETES):
            yield resources[urn]


def imported(resources: Mapping[str, Registered], inventory: Inventory) -> list[Imported]:
    """Those that exist."""
    return [Imported(r, found) for r in objects(resources) if (found := inventory.same(r.inputs))]


def created(resources: Mapping[str, Registered], inventory: Inventory) -> list[str]:
    """Those that do not, as a person says them; beside them what is no Kubernetes object."""
    absent = [f"{r.inputs['kind']} {_place(r)}" for r in objects(resources) if inventory.same(r.inputs) is None]
    others = [r for r in resources.values() if r.custom and not r.type.startswith((KUBERNETES, "pulumi:"))]
    return absent + sorted(f"{r.type.rpartition(':')[2]} {r.inputs.get('name') or r.name}" for r in others)


def _place(registered: Registered) -> str:
    meta = registered.inputs["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def document(found: list[Imported], resources: Mapping[str, Registered]) -> dict[str, Any]:
    """The import file. Its names are its own, unique in it; `logicalName` is the program's."""
    table: dict[str, str] = {}
    entries: list[dict[str, Any]] = []
    for one in found:
        registered, parent = one.registered, resources[one.registered.parent]
        # A component and an object in it may have one kind and name: InferencePool llm.llm.pool.
        in_table = f"component {parent.type.rpartition(':')[2]} {parent.name}"
        table[in_table] = parent.urn
        table[PROVIDER] = registered.provider
        entries.append(
            {
                "type": registered.type,
                "name": f"{registered.type.rpartition(':')[2]} {registered.name}",
                "logicalName": registered.name,
                "id": one.id,
                "parent": in_table,
                "provider": PROVIDER,
            }
        )
    return {"nameTable": dict(sorted(table.items())), "resources": entries}
