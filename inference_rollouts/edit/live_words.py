"""Every sentence about a cluster beside a stack file, once: what is not ready, and what `rollback --now` has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inference_rollouts.stages import Stage


def not_ready(what: str, why: str) -> str:
    """A condition of a raise that is not met, or that nobody can tell."""
    return f"{what}: not ready: {why}"


def not_as_in_the_file(what: str, difference: str) -> str:
    """The cluster is not where the file says."""
    return (
        f"{what}: not ready: the cluster is not as the file says: {difference}; deploy the file (pulumi up), or bring it to what "
        "is deployed, first"
    )


def no_live() -> str:
    """Only the file can be shown."""
    return "live: unknown, the cluster gave no answer; this is what the file says"


def check_failed(sentences: Sequence[str]) -> str:
    """The last line of a look whose exit code is 3."""
    return f"check failed: {'; '.join(sentences)}"


# --- rollback --now ---------------------------------------------------------------------------------------------------


def now(what: str, stage: Stage, way: str) -> str:
    """Headline."""
    return f"{what}: {stage}, now, in the cluster itself ({way})"


def ask_now(objects: int, file: object | None, warnings: Sequence[str] = ()) -> str:
    """The question before the write; what speaks against it comes first."""
    also = f", then {file}" if file else ""
    first = "".join(f"{warning}. " for warning in warnings)
    return f"{first}Write the weights of {objects} object{'s' if objects > 1 else ''} in the cluster{also}?"


def stable_not_ready(part: str, ready: int, wanted: int) -> str:
    """The traffic goes to what is not there in full."""
    return f"{part} has {ready} of {wanted} replicas ready"


def weights(before: Mapping[str, int] | None, after: Mapping[str, int]) -> str:
    """What changes in one object."""
    return f"{_listed(before) if before is not None else 'unknown'} → {_listed(after)}"


def _listed(shown: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {weight}" for name, weight in shown.items())


def written_now(at: str, after: Mapping[str, int], seconds: float) -> str:
    """One object is written, and was read back."""
    return f"{at}: {_listed(after)}, written and read back in {seconds:.2f} s"


def stands_live(what: str, stage: Stage, stable: str) -> str:
    """The cluster has nothing to roll back."""
    return f"{what}: nothing to roll back in the cluster: at {stage} {stable} has all the traffic"


def gateway_follows() -> str:
    """The API server is not the load balancer."""
    return f"GKE's load balancer follows within seconds (8 were seen); {other_writers()}"


def other_writers() -> str:
    """What may undo it."""
    return "an update that runs now may write its weights again: stop it (pulumi cancel)"


def now_by_100(what: str, command: str) -> str:
    """From retire the way back has two steps."""
    return (
        f"{what}: from retire the way back is 100 first, where the old version is in the route again; it moves no traffic yet. "
        f"Pulumi's state has to know it (pulumi up), since from retire it goes to 100 only; then: {command}"
    )


def skipped_100(what: str) -> str:
    """The second step was taken before Pulumi knew the first."""
    return (
        f"{what}: Pulumi's state still says retire, from where the guard lets it go to 100 only; for the update that comes allow "
        "it in the file, on the rollout: override: {from: retire, to: prepare, reason: …, by: …}"
    )


def other_rollout(what: str, live: str, file: str) -> str:
    """The cluster holds another rollout than the file."""
    return (
        f"{what}: the cluster holds another rollout ({live}) than the file ({file}), so the file was left alone; bring it to "
        "what is deployed before the next update"
    )


def not_in_cluster(at: str, why: str, *, absent: bool) -> str:
    """An object without which the others go on."""
    way = "; see whether this is the right cluster and namespace; if it is, pulumi up brings the object there" if absent else ""
    return f"{at}: left alone: {why}{way}"


def of_another_shape(at: str, why: str) -> str:
    """An object that could not be understood."""
    return f"{at} may not be written: it is of another shape than expected ({why}); rollout status gives the kubectl line instead"


def file_not_edited(why: str) -> str:
    """The cluster is rolled back, the file is not."""
    return f"the cluster is rolled back, but the file is not: {why}"


def instead(lines: Sequence[str]) -> str:
    """What to do where the cluster cannot be reached from here."""
    return "; from where kubectl reaches it: " + " && ".join(lines) if lines else ""
