"""Every sentence of reports, once: previews, costs, rendering, history, and what Git cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inference_rollouts.errors import first_of, one_of

# --- Git --------------------------------------------------------------------------------------------------------------


def no_repository(why: str) -> str:
    """The file is in no repository."""
    return f"is in no Git repository that can be read ({why}); a preview can do without: give --base FILE"


def no_git(why: str) -> str:
    """The git command does not run."""
    return f"git cannot be run ({why}); install it, or give --base FILE"


def git_failed(why: str) -> str:
    """Git said no."""
    return f"is not to be had from Git: {why}"


def unknown_base(base: str) -> str:
    """`--base` is neither."""
    return f"{base} is neither a file nor a commit, branch or tag that this clone knows"


def no_common_commit(branch: str) -> str:
    """A shallow clone."""
    return f"this clone has no commit that HEAD and {branch} share (a shallow clone?); fetch more, or give --base REF"


def base_unread(base: str, problem: str, more: int, instead: str | None, tried: int) -> str:
    """The base has the file, with a text that is not valid.

    Args:
        base: the base, as a person says it.
        problem: the first one.
        more: how many others there are.
        instead: the commit that is compared with in its place; None where none can be read.
        tried: how many commits were looked at at most.
    """
    others = f", and {more} more" if more else ""
    said = f"the file in {base} has a problem and is not compared with ({problem}{others})"
    if instead is None:
        return f"{said}; nor can any of the last {tried} commits that changed it be read: nobody can tell what moves"
    return f"{said}; {instead} takes its place, the newest commit before it in which the file can be read"


# --- reports ----------------------------------------------------------------------------------------------------------


def nodes_added(version: str, most: int, machine: str, accelerators: int, accelerator: str) -> str:
    """A node pool that is new."""
    return f"node pool of {version}: at most {most} × {machine}, {accelerators} {accelerator} in all"


def surge_cost(nodes: str, version: str, cost: float, most: tuple[int, float] | None, listed: str) -> str:
    """What the second version costs. US dollars per hour."""
    limit = f", at most {most[1]:,.2f} with all {most[0]} nodes of its pool" if most else ""
    return f"{cost:,.2f} USD per hour for {version} ({nodes}){limit}; {listed}"


def list_price(bought: str, date: str | None, region: str | None) -> str:
    """Where a price is from."""
    return f"{bought} list price{f' of {date}' if date else ', undated'}{f' in {region}' if region else ''}"


def own_price(machine: str) -> str:
    """The stack file says what is paid."""
    return f"by prices.{machine} of the stack file"


def surge_unknown(nodes: int, machine: str, version: str, bought: str) -> str:
    """The catalogue has no price."""
    return (
        f"unknown for {version} ({nodes} × {machine}): the catalogue has no {bought} price for it; give yours (prices.{machine})"
    )


def surge_elsewhere(nodes: int, machine: str, version: str) -> str:
    """Nodes that exist already."""
    return f"none of its own for {version}: its {nodes} × {machine} are nodes that exist already"


def asked_live(questions: Sequence[str], *, retires: bool) -> str:
    """What the guard will want to know."""
    when = "stable is retired" if retires else "the weight rises"
    return f"before {when}, whether {', '.join(questions)}; what it cannot learn counts as no"


def asked_no_more(less: Sequence[str]) -> str:
    """Conditions that go together with the move that they were for."""
    return f"{', '.join(less)}, which this change takes away from the very move that it makes"


def nothing_changes(base: str) -> str:
    """The file says what it said."""
    return f"nothing changes: the stack file says the same as {base}"


def nothing_moves() -> str:
    """Operations without a rollout that moves."""
    return "no rollout moves, but resources change"


def counted(counts: Sequence[str], none: Sequence[str]) -> str:
    """How many resources each thing happens to."""
    nothing = f"nothing {one_of(none)}" if none else ""
    return "; ".join(part for part in (", ".join(counts), nothing) if part)


def no_operations() -> str:
    """The text differs, and what it means does not."""
    return "no rollout moves, and no resource changes"


def new_stack(stack: str, base: str, services: int, resources: int) -> str:
    """No base to compare with."""
    return f"{stack} is a new stack: {base} has no such file; {services} service{'s' * (services != 1)}, {resources} resources"


def compared_with_nothing(services: int) -> str:
    """The base has no text that can be read, and no commit before it has."""
    return (
        f"nobody can tell what moves, since no text of the file before can be read; what follows is a first deployment of all of "
        f"it: {services} service{'s' * (services != 1)}"
    )


def deleted_stack(stack: str, base: str) -> str:
    """The file is gone."""
    return (
        f"the stack file of {stack} is deleted, which {base} still has: no update follows from that, and what stands "
        f"keeps standing; to take it down run pulumi destroy -s {stack} while the file is there"
    )


def refused_headline(*, begun: bool) -> str:
    """Headline of a refused preview.

    Args:
        begun: whether the update would have begun something else before it stops.
    """
    if begun:
        return (
            "refused: this update would stop there, with the rest of the stack half done; first mend or take back what is refused"
        )
    return "refused: this update would change nothing"


def rehearsed() -> str:
    """What a preview without the engine is worth."""
    return (
        "A rehearsal: the real program on a model of Pulumi's engine, from a fresh deployment of the base. pulumi preview tells "
        "the truth, with the real state."
    )


def no_stack_file(base: str) -> str:
    """Neither here nor there."""
    return f"there is no such stack file, here or in {base}"


# --- rendering and history --------------------------------------------------------------------------------------------


def no_folder() -> str:
    """The target of render is a file."""
    return "is a file; name a folder"


def foreign_files(names: Sequence[str]) -> str:
    """The folder holds what render did not write."""
    return f"holds files that render did not write ({first_of(names, 3)}); name an empty folder, or take them out"


def rendered(count: int, folder: object) -> str:
    """Done."""
    return f"{count} Kubernetes objects are in {folder}:"


def not_rendered(titles: Iterable[str]) -> str:
    """What is no Kubernetes object."""
    return f"Not among them, since they are no Kubernetes objects: {', '.join(titles)}"


def no_history(stack: str) -> str:
    """Git has nothing to tell."""
    return f"no stage of {stack} has ever changed in a commit"


def no_updates(why: str) -> str:
    """The Pulumi CLI is there and does not tell the updates."""
    return f"without the updates, since pulumi stack history says: {why}"


def unread(commit: str) -> str:
    """An old text that cannot be read."""
    return f"{commit}: the file could not be read at that commit"
