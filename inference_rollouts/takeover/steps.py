"""What to do with the files, step by step: each a sentence and a command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inference_rollouts.takeover import words
from inference_rollouts.takeover.import_file import TARGETS, Imported
from inference_rollouts.takeover.inventory import Existing

FORCE = "PULUMI_K8S_ENABLE_PATCH_FORCE=true"
OURS = ("kubectl", "before-first-apply", "pulumi-")
"""Field managers that the provider takes over by itself (pulumi-kubernetes, await.go, fixCSAFieldManagers)."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        say: what it does, and what to look at.
        run: the command; empty where there is none.
    """

    say: str
    run: str = ""


def steps(
    stack: str, stack_file: str, import_file: str, found: Sequence[Imported], *, in_project: bool, drafts: Sequence[str]
) -> Iterator[Step]:
    """All steps from the two files to the first rollout."""
    more = f" --config-file {shlex.quote(stack_file)}" if not in_project else ""
    name = stack if in_project else _path(stack_file)
    yield Step("Read the stack file through, and check it.", f"rollout validate {shlex.quote(name)}")
    yield Step("Make the stack (it may add an encryptionsalt to the stack file: keep it).", f"pulumi stack init {stack}")
    targets = " ".join(f"--target '{target}'" for target in TARGETS)
    yield Step(
        "Put the components and the provider into Pulumi's state. Nothing in the cluster changes: the preview must show no "
        "object of Kubernetes and no node pool.",
        f"pulumi up -s {stack}{more} {targets}",
    )
    yield from _helm(found)
    force = f"{FORCE} " if any(_others(one.exists) for one in found) else ""
    if not found:
        yield Step("Nothing that the program registers exists already: there is nothing to import.")
    else:
        yield Step(
            "Import what exists. --generate-code=false, since the program is there already; all of it is protected, and the "
            "first update lifts that where the stage says so. If it says that the cluster has no such object (a manifest that "
            "was never applied), take that entry out of the file: the first update creates it.",
            f"pulumi import -s {stack}{more} --file {shlex.quote(import_file)} --generate-code=false --protect=true",
        )
    yield Step(
        "The first preview: no replace, no delete, and no create of anything that was imported. Custom resources show their "
        "whole spec as new, since the provider imports nothing but their names; the report above says what really changes."
        + (f" {FORCE}, since other field managers than kubectl wrote some of it." if force else ""),
        f"{force}pulumi preview -s {stack}{more} --diff",
    )
    yield Step("The first update.", f"{force}pulumi up -s {stack}{more}")
    for draft in drafts:
        service, _, version = draft.partition(": ")
        yield Step(
            f"Later, to manage the servers of {service} too: look {version} through in the stack file, then move to it.",
            f"rollout start {shlex.quote(name)} {service} --to {version}",
        )


def unwritten(folder: str, found: Sequence[Imported], drafts: Sequence[str]) -> Iterator[Step]:
    """All steps while nothing is written: first of all that is to be done; NAME is the stack's name."""
    yield Step(words.add_stack())
    yield from steps("NAME", f"{folder}/Pulumi.NAME.yaml", f"{folder}/import.NAME.json", found, in_project=True, drafts=drafts)


def _path(file: str) -> str:
    return file if "/" in file else f"./{file}"


def _helm(found: Sequence[Imported]) -> Iterator[Step]:
    """Helm deletes what it made: on upgrade it asks the object for the annotation, on uninstall its own stored manifest."""
    by_release: dict[tuple[str, str], list[Existing]] = {}
    for one in found:
        if one.exists.release:
            by_release.setdefault((one.exists.release, one.exists.namespace), []).append(one.exists)
    for (release, namespace), made in sorted(by_release.items()):
        names = " ".join(f"{o.kind.lower()}{f'.{o.group}' if o.group else ''}/{o.name}" for o in made)
        yield Step(
            f"Helm's release {release} made {len(made)} of these objects. Keep it from deleting them when an upgrade drops them. "
            "helm uninstall reads the release's own manifest instead: give its templates the same annotation (a post-renderer "
            "does), or never uninstall it.",
            f"kubectl annotate -n {namespace} {names} helm.sh/resource-policy=keep",
        )


def _others(found: Existing) -> set[str]:
    """Field managers that the provider does not take over."""
    # Controllers of GKE and of Kubernetes write status and annotations, never a spec of ours.
    known = (*OURS, "kube-", "gke-", "GoogleGKE", "glbc", "service-", "ingress-gce")
    return {manager for manager in found.managers if not manager.startswith(known)}
