"""What the rehearsal models of Pulumi's engine and providers: one function a rule, each with its source.

Sources: pulumi 3.259 (`pkg/resource/deploy`), pulumi-kubernetes (`provider/pkg/provider`), pulumi-terraform-bridge
(`pkg/tfbridge`), hashicorp/terraform-provider-google-beta 93c65b2d. Where no rule fits, `CannotModel`: never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from inference_rollouts.errors import InputError, Problem
from inference_rollouts.manifests import node_pool
from inference_rollouts.rehearsal.recording import Recording, Registration

PROVIDER = "pulumi:providers:"
KUBERNETES_PROVIDER = f"{PROVIDER}kubernetes"
NODE_POOL = "gcp:container/nodePool:NodePool"

FORCE_NEW: Mapping[str, Sequence[str]] = {
    "kubernetes:apps/v1:Deployment": ("spec.selector",),
    "kubernetes:core/v1:ConfigMap": ("data", "binaryData"),
    "kubernetes:core/v1:Service": ("spec.clusterIP",),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
}
"""Fields, beside name and namespace, whose change replaces a built-in kind (pulumi-kubernetes, diff.go, forceNew)."""

FORCE_NEW_ELSEWHERE = re.compile(
    r"kubernetes:(core/v1:(PersistentVolume(Claim)?|Pod|ResourceQuota|Secret)|apps/[^:]+:(StatefulSet|Daemon[Ss]et)|"
    r"policy/v1beta1:.*|rbac[^:]+:ClusterRoleBinding|storage[^:]+:StorageClass|batch/[^:]+:Job|apps/v1beta.*)"
)
"""Kinds that have rows in that table too, and that this project never registers."""

NODE_POOL_IN_PLACE = (
    "autoscaling",
    "maintenance_policies",
    "management",
    "node_drain_configs",
    "node_locations",
    "upgrade_settings",
    "version",
    "node_config.boot_disk",
    "node_config.gcfs_config",
    "node_config.machine_type",
    "node_config.taints",
    "node_config.workload_metadata_config",
)
"""Node pool fields that are updated in place, some of them by rolling the nodes; `gvnic` is not: provider versions differ."""

PROVIDER_IN_PLACE = ("kubeconfig", "context", "enableConfigMapMutable")

DELETED_FIRST = "it is deleted before it is created again, since its name stays the same"


class CannotModel(InputError):
    """The rehearsal has no rule for this, and does not guess."""

    def __init__(self, what: str) -> None:
        super().__init__([Problem("", f"{what}; use pulumi preview")])


# --- what is not modelled ---------------------------------------------------------------------------------------------


def refuse_unmodelled(registration: Registration, *, may_be_renamed: bool = False) -> None:
    """Options without a rule here would make the rehearsal lie.

    Args:
        registration: the wanted resource.
        may_be_renamed: whether it is new while others go: then an alias decides, and else it does nothing
            (step_generator.go, generateAliases).

    Raises:
        CannotModel: when the resource has one.
    """
    unmodelled = [option for option in registration.unmodelled if may_be_renamed or not option.startswith("alias")]
    if unmodelled:
        raise CannotModel(
            f"{registration.type} {registration.name} uses {', '.join(unmodelled)}, which the rehearsal does not model"
        )


def refuse_duplicates(recording: Recording) -> None:
    """The engine fails on the second resource of a URN (step_generator.go, "Duplicate resource URN"), or hook of a name.

    Raises:
        CannotModel: when something is registered twice.
    """
    if recording.twice:
        raise CannotModel(f"the program registers {', '.join(recording.twice)} more than once, which Pulumi refuses")


def refuse_other_provider(old: Registration, new: Registration) -> None:
    """Another provider may replace the resource, by what the two say of each other (step_generator.go, providerChanged).

    Raises:
        CannotModel: when the provider is another.
    """
    if old.provider != new.provider:
        raise CannotModel(f"{new.type} {new.name} changes its provider, which the rehearsal does not model")


# --- create, update, replace, same ------------------------------------------------------------------------------------


def changed_paths(old: Any, new: Any, path: str = "") -> list[str]:
    """Paths of the leaves that differ, as `detailedDiff` of a preview names them: `spec.rules[0].backendRefs[1].weight`.

    None of them: the resource stays as it is (`same`), and its hooks are not called (deploy/step.go:185).
    """
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
    """Which of the changed paths replace the resource instead of updating it, as its provider says (plugin/provider.go, Diff).

    Args:
        registration: the wanted resource.
        changed: paths that differ from the deployed inputs.
        provider: inputs of its provider.

    Raises:
        CannotModel: when there is no rule for the resource's type, or for one of the paths.
    """
    if not registration.custom:
        return []
    if registration.type == NODE_POOL:
        return _replacing_node_pool(changed)
    if registration.type == KUBERNETES_PROVIDER:
        return _replacing_provider(registration, changed)
    if registration.type.startswith("kubernetes:") and not FORCE_NEW_ELSEWHERE.fullmatch(registration.type):
        return _replacing_object(registration, changed, provider)
    raise CannotModel(f"{registration.type} changes ({', '.join(changed)}), and the rehearsal has no rule for it")


def _replacing_node_pool(changed: Sequence[str]) -> list[str]:
    """ForceNew in the provider's schema, by list; what is on neither list may be either."""
    replacing = [path for path in changed if node_pool.replaces(_snake(path))]
    unknown = [p for p in changed if p not in replacing and not any(_under(_snake(p), f) for f in NODE_POOL_IN_PLACE)]
    if unknown:
        raise CannotModel(f"NodePool changes {', '.join(unknown)}, and the rehearsal has no rule for it")
    return replacing


def _snake(path: str) -> str:
    return re.sub(r"([A-Z])", lambda m: f"_{m[1].lower()}", path)


def _replacing_provider(registration: Registration, changed: Sequence[str]) -> list[str]:
    """With the same clusterIdentifier the provider is updated in place (pulumi-kubernetes, provider.go, DiffConfig)."""
    unknown = [path for path in changed if path not in PROVIDER_IN_PLACE]
    if unknown or not registration.inputs.get("clusterIdentifier"):
        raise CannotModel(
            f"the kubernetes provider changes ({', '.join(changed)}): if that makes it another cluster, "
            "every object is replaced, which the rehearsal does not model"
        )
    return []


def _replacing_object(registration: Registration, changed: Sequence[str], provider: Mapping[str, Any]) -> list[str]:
    """Name and namespace of any kind, and the table's fields of a built-in one (pulumi-kubernetes, diff.go)."""
    fields = ["metadata.name", "metadata.namespace", *FORCE_NEW.get(registration.type, ())]
    if str(provider.get("enableConfigMapMutable")).lower() == "true" and registration.type.endswith(":ConfigMap"):
        fields = fields[:2]
    return [path for path in changed if any(_under(path, field) for field in fields)]


def deletes_first(old: Registration, new: Registration) -> bool:
    """A replacement under the same fixed name is deleted before it is created again, else created before.

    pulumi-kubernetes, provider.go, Diff (`deleteBeforeReplace`: same name, same namespace, not autonamed); for the node pool
    pulumi-terraform-bridge, schema.go, nameRequiresDeleteBeforeReplace. Every name in this project is fixed.
    """
    return _identity(old) == _identity(new)


def _identity(registration: Registration) -> tuple[Any, ...]:
    inputs = registration.inputs
    if registration.type == NODE_POOL:
        return (inputs.get("name"),)
    meta = inputs.get("metadata") or {}
    return (meta.get("name"), meta.get("namespace"))


def refuse_dragged(registration: Registration, wanted: Mapping[str, Registration]) -> None:
    """What takes an input from a resource that is deleted first is replaced with it; `depends_on` alone never is.

    deploy/step_generator.go:3268, calculateDependentReplacements. No input in this project comes from another resource.

    Raises:
        CannotModel: when something does take an input from it.
    """
    dragged = [r for r in wanted.values() if registration.urn in r.property_dependencies]
    if dragged:
        raise CannotModel(
            f"{registration.type} {registration.name} is replaced, and may drag {', '.join(r.name for r in dragged)} "
            "with it, which the rehearsal does not model"
        )


def must_update_again(init_errors: bool) -> bool:
    """A resource with init errors in state is updated, and awaited, at every update (deploy/step_generator.go:1943, 2182)."""
    return init_errors


# --- protection -------------------------------------------------------------------------------------------------------


def blocks_replace(old_protect: bool, new_protect: bool) -> bool:
    """A replacement is refused only if both the old and the new are protected (deploy/step_generator.go:1954).

    So "unprotect and replace" passes in one update. A preview reports the refusal and runs on.
    """
    return old_protect and new_protect


def blocks_delete(old_protect: bool) -> bool:
    """Deletion asks the protection in state: so it is lifted one update before (deploy/step_generator.go:2120).

    The refusal does not stop other deletions (deploy/step_executor.go:441).
    """
    return old_protect


# --- hooks ------------------------------------------------------------------------------------------------------------


def asked_in_preview(hook: Any) -> bool:
    """Only a hook with `on_dry_run` is called in a preview (deploy/resource_hooks.go, OnDryRun)."""
    return bool(hook.on_dry_run)


# --- order ------------------------------------------------------------------------------------------------------------


def needs(registration: Registration) -> set[str]:
    """What must be there before: parent, provider, and dependencies.

    The SDK registers a child after its parent, and awaits what a resource depends on before registering it. So a component
    that a hook refuses never registers its children.
    """
    return {registration.parent, registration.provider, *registration.dependencies} - {""}


def creation_order(links: Mapping[str, Iterable[str]]) -> list[str]:
    """Every URN after what it needs; deterministic, where the engine's own order varies.

    Args:
        links: URN to the URNs it needs. Deletion is the same order backwards: the engine walks its state, which is in the
            order of creation, from the end (step_generator.go, GenerateDeletes).
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
