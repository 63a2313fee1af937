"""What `rollout import` has found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from inference_rollouts.cli.app import print_json
from inference_rollouts.cli.import_stack import Result
from inference_rollouts.takeover import words
from inference_rollouts.takeover.service_config import ServiceFound
from inference_rollouts.takeover.versions import VersionFound

HEADINGS = {
    "assumed": "Read in spite of an error, or assumed:",
    "left": "Left as it is:",
    "cannot": "Cannot be said in a stack file:",
}


def show(result: Result, console: Console) -> None:
    """Everything that was found, before anything is written."""
    for line, style in _lines(result):
        console.print(Text(line, style=style), soft_wrap=True)


def _lines(result: Result) -> Iterator[tuple[str, str]]:
    takeover = result.takeover
    for service in takeover.services:
        yield f"service {service.name}: {service.route.route.title}", "bold"
        yield from ((f"  {line}", "") for line in _service(service))
    for level, heading in HEADINGS.items():
        found = takeover.of(level)
        if found:
            yield heading, "bold red" if level == "cannot" else "bold"
            yield from ((f"  {finding}", "") for finding in found)
    if result.first:
        yield words.first_preview(len(result.first.imported), len(result.first.created)), "bold"
        yield from ((f"  {line}", "") for line in _first(result.first))


def _service(service: ServiceFound) -> Iterator[str]:
    standing = service.standing
    if standing.to:
        yield f"{standing.serving} to {standing.to}, at stage {standing.stage} ({standing.how})"
    for version in service.versions:
        yield f"{version.name}: {_role(version)}"
        yield from (f"  {reason}" for reason in version.why)
    for draft, version in service.drafts.items():
        yield f"{draft}: a version of our own like {version.name}, not built until a rollout moves to it"
        if version.lacks:
            yield f"  {words.draft_lacks(version.lacks)}"


def _role(version: VersionFound) -> str:
    return "taken over, with servers and picker" if version.managed else "routed to, not managed (external)"


def _first(first: Any) -> Iterator[str]:
    for operation in first.preview.operations:
        if operation.op in ("update", "replace", "delete", "refuse") and first.recording.resources[operation.urn].custom:
            yield f"{operation.op} {operation.title}: {', '.join(operation.diff[:8])}{' …' if len(operation.diff) > 8 else ''}"
    for title in first.created:
        yield f"create {title}"
    same = len([one for one in first.imported if one.registered.urn in {o.urn for o in first.of("same")}])
    yield words.verdict(same, harmless=first.harmless)


def show_written(result: Result, console: Console, *, declined: bool) -> None:
    """What was written, or would be, and what to do next; no steps where one of the files is not the one that was shown."""
    if result.written:
        console.print(Text(words.wrote([str(path) for path in result.written]), style="bold"), soft_wrap=True)
    elif result.files and not result.wanted:
        console.print(Text(words.would_write(str(result.stack_path)), style="bold"), soft_wrap=True)
        console.print(Text(result.files[result.stack_path].rstrip("\n")), soft_wrap=True)
    elif not result.files or not (result.takeover.whole or result.request.partial):
        console.print(Text(words.nothing_written(result.files != {})), soft_wrap=True)
        return
    if declined:
        return
    for number, step in enumerate(result.steps, 1):
        console.print(Text(f"{number}. {step.say}"), soft_wrap=True)
        if step.run:
            console.print(Text(f"   {step.run}", style="bold"), soft_wrap=True)


# --- for programs -------------------------------------------------------------------------------------------------------


def print_report(result: Result) -> None:
    """The report as one JSON document."""
    takeover, first = result.takeover, result.first
    print_json(
        {
            "stack": result.name,
            "whole": takeover.whole,
            "written": [str(path) for path in result.written],
            "services": [_service_json(service) for service in takeover.services],
            "assumed": [f.to_json() for f in takeover.of("assumed")],
            "left": [f.to_json() for f in takeover.of("left")],
            "cannot": [f.to_json() for f in takeover.of("cannot")],
            "imported": [{"type": i.registered.type, "name": i.registered.name, "id": i.id} for i in first.imported]
            if first
            else [],
            "created": list(first.created) if first else [],
            "firstPreview": _preview_json(first) if first else None,
            "steps": [{"say": step.say, "run": step.run or None} for step in result.steps],
            "stackFile": result.files[result.stack_path] if result.files else None,
            "importFile": next((text for path, text in result.files.items() if path.suffix == ".json"), None),
        }
    )


def _service_json(service: ServiceFound) -> dict[str, Any]:
    standing = service.standing
    return {
        "name": service.name,
        "namespace": service.namespace,
        "route": service.route.route.name,
        "rollout": standing.rollout(),
        "versions": [
            {
                "name": version.name,
                "pool": version.pool,
                "managed": version.managed,
                "why": list(version.why),
                "from": [source.title for source in version.sources],
            }
            for version in service.versions
        ],
        "adapters": list(service.config.get("adapters", {})),
        "drafts": list(service.drafts),
    }


def _preview_json(first: Any) -> dict[str, Any]:
    operations = [o for o in first.preview.operations if first.recording.resources[o.urn].custom]
    return {
        "harmless": first.harmless,
        "replaces": len([o for o in operations if o.op == "replace"]),
        "podTemplates": len(first.restarts),
        "operations": [o.to_json() for o in operations],
    }
