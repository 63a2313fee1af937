"""What Pulumi's state says stands: the record of each service, the objects that carry weights, and what was left half-done.

Read from the JSON of `pulumi stack export`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference_rollouts.naming import SPLIT_ANNOTATION
from inference_rollouts.record import Record, Unreadable, whole

SERVICE = "inference-rollouts:index:ModelService"


@dataclass(frozen=True)
class Pending:
    """An operation that had begun when the engine was stopped.

    Attributes:
        kind: creating, updating, deleting, reading or importing.
        type: Pulumi type token.
        urn: of the resource.
    """

    kind: str
    type: str
    urn: str

    @property
    def title(self) -> str:
        """Kind and logical name, as a person says it."""
        return f"{self.type.rpartition(':')[2]} {self.urn.rpartition('::')[2]}"


@dataclass(frozen=True)
class SplitObject:
    """An object that carries weights, as the state holds it: after a refresh, as it is live.

    Attributes:
        urn: of the resource.
        value: the Kubernetes object.
    """

    urn: str
    value: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Kubernetes kind."""
        return str(self.value.get("kind"))

    @property
    def name(self) -> str:
        """Kubernetes name."""
        return str((self.value.get("metadata") or {}).get("name"))


@dataclass(frozen=True)
class Deployed:
    """What stands, as the state says it.

    Attributes:
        records: of each service, by name.
        splits: the objects that carry weights.
        pending: operations that were cut off.
    """

    records: Mapping[str, Record]
    splits: tuple[SplitObject, ...] = ()
    pending: tuple[Pending, ...] = ()

    @property
    def creating(self) -> tuple[Pending, ...]:
        """Those that a refresh cannot clear by itself: nobody knows whether the resource exists."""
        return tuple(pending for pending in self.pending if pending.kind == "creating")


def read_state(export: Mapping[str, Any]) -> Deployed:
    """From the JSON of `pulumi stack export`.

    Raises:
        Unreadable: when a service's record cannot be read.
    """
    deployment = whole(export.get("deployment") or {})
    # What waits to be deleted after a replacement stands no more.
    resources = [r for r in deployment.get("resources") or () if not r.get("delete")]
    return Deployed(
        records=dict(_records(resources)),
        splits=tuple(_splits(resources)),
        pending=tuple(_pending(deployment.get("pending_operations") or ())),
    )


def _records(resources: list[dict[str, Any]]) -> Iterator[tuple[str, Record]]:
    for resource in resources:
        if resource["type"] == SERVICE:
            name = resource["urn"].rpartition("::")[2]
            try:
                yield name, Record.from_wire(resource.get("inputs") or {})
            except Unreadable as e:
                raise Unreadable(f"the deployed record of service {name}: {e}") from e


def _splits(resources: list[dict[str, Any]]) -> Iterator[SplitObject]:
    for resource in resources:
        annotations = ((resource.get("inputs") or {}).get("metadata") or {}).get("annotations") or {}
        if SPLIT_ANNOTATION in annotations:
            # A refresh cuts live lists in the inputs to their old length; the outputs have them whole.
            yield SplitObject(resource["urn"], resource.get("outputs") or resource["inputs"])


def _pending(operations: Any) -> Iterator[Pending]:
    for operation in operations:
        resource = operation.get("resource") or {}
        yield Pending(str(operation.get("type")), str(resource.get("type")), str(resource.get("urn")))
