"""What the rehearsal models of Pulumi's engine and providers: one function a rule, each with its source.

Sources: engine 3.259 (pkg/resource/deploy), pulumi-kubernetes (provider/pkg/provider: the table of fields that force a
replacement), hashicorp/terraform-provider-google-beta 93c65b2d for the node pool. Where no rule fits, `CannotModel`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from inference_rollouts.manifests import node_pool
from inference_rollouts.rehearsal.program import Registration

KUBERNETES_PROVIDER = "pulumi:providers:kubernetes"
NODE_POOL = "gcp:container/nodePool:NodePool"

FORCE_NEW: Mapping[str, Sequence[str]] = {
    "kubernetes:apps/v1:Deployment": ("spec.selector",),
    "kubernetes:core/v1:Service": ("spec.clusterIP",),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
}
"""Fields, beside name and namespace, whose change replaces a built-in kind (pulumi-kubernetes forceNew table)."""


class CannotModel(Exception):
    """The rehearsal has no rule for this, and does not guess."""


def refuse_unmodelled(registration: Registration) -> None:
    """Options without a rule here would make the rehearsal lie.

    Raises:
        CannotModel: when the resource has one.
    """
    if registration.unmodelled:
        what = ", ".join(registration.unmodelled)
        raise CannotModel(
            f"{registration.type} {registration.name} uses {what}, which the rehearsal does not model; use pulumi preview"
        )


def changed_paths(old: Any, new: Any, path: str = "") -> list[str]:
    """Paths of the leaves that differ, as `detailedDiff` of a preview names them: `spec.rules[0].backendRefs[1].weight`."""
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = sorted({*old, *new})
        return [p for key in keys for p in changed_paths(old.get(key), new.get(key), _member(path, key))]
    if isinstance(old, list) and isinstance(new, list):
        size = max(len(old), len(new))
        a, b = (x + [None] * (size - len(x)) for x in (old, new))
        return [p for i in range(size) for p in changed_paths(a[i], b[i], f"{path}[{i}]")]
    return [path]


def _member(path: str, key: str) -> str:
    if re.search(r"[.\[\]\"/]", key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def without_ignored(paths: Iterable[str], ignored: Sequence[str]) -> list[str]:
    """`ignore_changes`: those paths, and what is below them, are not compared (step_generator.go, processIgnoreChanges)."""
    return [path for path in paths if not any(_under(path, prefix) for prefix in ignored)]


def _under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))


def replacing_paths(registration: Registration, changed: Sequence[str], provider: Mapping[str, Any]) -> list[str]:
    """Which of the changed paths replace the resource instead of updating it.

    Args:
        registration: the wanted resource.
        changed: paths that differ from the deployed inputs.
        provider: inputs of its provider.
    """
    if not registration.custom:
        return []
    if registration.type == NODE_POOL:
        return [path for path in changed if node_pool.replaces(_snake(path))]
    if registration.type.startswith("kubernetes:"):
        fields = ["metadata.name", "metadata.namespace", *FORCE_NEW.get(registration.type, ())]
        # Without enableConfigMapMutable the provider deletes and recreates a ConfigMap whose data changes.
        if registration.type.endswith(":ConfigMap") and str(provider.get("enableConfigMapMutable")).lower() != "true":
            fields += ["data", "binaryData"]
        return [path for path in changed if any(_under(path, field) for field in fields)]
    if registration.type == KUBERNETES_PROVIDER:
        if "clusterIdentifier" in changed:
            raise CannotModel(
                "the cluster itself changes, which replaces every object; the rehearsal does not model that; use pulumi preview"
            )
        return []
    raise CannotModel(
        f"{registration.type} changes ({', '.join(changed)}), and the rehearsal has no rule for it; use pulumi preview"
    )


def _snake(path: str) -> str:
    return re.sub(r"([A-Z])", lambda m: f"_{m[1].lower()}", path)


def blocks_replace(old_protect: bool, new_protect: bool) -> bool:
    """A replacement is refused only if both the old and the new are protected (deploy/step_generator.go:1954)."""
    return old_protect and new_protect


def blocks_delete(old_protect: bool) -> bool:
    """Deletion asks the protection in state: so it is lifted one update before (deploy/step_generator.go:2120)."""
    return old_protect


def must_update_again(init_errors: bool) -> bool:
    """A resource with init errors in state is updated, and awaited, at every update (deploy/step_generator.go:1943, 2182)."""
    return init_errors


def creation_order(links: Mapping[str, Iterable[str]]) -> list[str]:
    """Every URN after its parent and its dependencies; deterministic, where the engine's own order varies.

    Args:
        links: URN to the URNs it needs. Deletion is the same order backwards: dependants first.
    """
    done: dict[str, None] = {}

    def visit(urn: str) -> None:
        if urn in done or urn not in links:
            return
        for needed in sorted(links[urn]):
            visit(needed)
        done[urn] = None

    for urn in sorted(links):
        visit(urn)
    return list(done)
