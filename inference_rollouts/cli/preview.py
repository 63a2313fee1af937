"""`rollout preview`: the report as text and JSON; `preview_markdown` has the pull-request comment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from inference_rollouts.cli.changes import details
from inference_rollouts.cli.preview_report import Report, report
from inference_rollouts.cli.status import bar
from inference_rollouts.edit import costs, report_words
from inference_rollouts.edit.changes import Change
from inference_rollouts.rehearsal.engine import Operation
from inference_rollouts.wording import KIND

__all__ = ["Report", "as_json", "details", "facts", "render", "report", "stage"]

SIGNS = {
    "refused": ("!", "bold red"),
    "deleted": ("-", "red"),
    "replaced": ("±", "magenta"),
    "updated": ("~", "yellow"),
    "created": ("+", "green"),
    "protected": ("#", "cyan"),
    "unprotected": ("#", "cyan"),
    "unchanged": (" ", "dim"),
}
"""Sign and colour of what happens to a resource."""


# --- words about it ---------------------------------------------------------------------------------------------------


def facts(found: Report) -> Iterator[tuple[str, str]]:
    """Counts, nodes, cost, what is asked live, and the way back, each with its name; none where nothing is done."""
    if found.refusals or found.after is None:
        return
    yield "resources", found.counts
    for nodes in found.added:
        most = nodes.most or 0
        text = report_words.nodes_added(nodes.version, most, nodes.machine_type, most * nodes.per_node, nodes.accelerator)
        yield "nodes added", text
    for nodes in found.surge:
        yield "cost while both versions stand", cost_of(nodes)
    for asked in found.asked:
        whose = f" of service {asked.service}" if len(found.asked) > 1 else ""
        yield f"pulumi up will ask the cluster{whose}", report_words.asked_live(asked.questions, retires=asked.retires)
        if asked.no_more:
            yield f"and no more{whose}", report_words.asked_no_more(asked.no_more)
    moved = [change for change in found.changes if change.way_back]
    for change in moved:
        yield "way back" if len(moved) == 1 else f"way back of {change.what}", change.way_back or ""


def cost_of(nodes: costs.Nodes) -> str:
    """What the nodes of a second version cost, or why nobody knows."""
    if nodes.most is None:
        return report_words.surge_elsewhere(nodes.least, nodes.machine_type, nodes.version)
    if nodes.least_cost is None or nodes.most_cost is None:
        return report_words.surge_unknown(nodes.least, nodes.machine_type, nodes.version, nodes.bought)
    listed = report_words.own_price(nodes.machine_type) if nodes.given else report_words.list_price(nodes.bought, *nodes.priced)
    most = (nodes.most, nodes.most_cost) if nodes.most != nodes.least else None
    return report_words.surge_cost(f"{nodes.least} × {nodes.machine_type}", nodes.version, nodes.least_cost, most, listed)


# --- JSON and text ----------------------------------------------------------------------------------------------------


def as_json(found: Report) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "stack": found.stack,
        "file": str(found.file),
        "base": found.base,
        "headline": found.headline,
        "refused": list(found.refusals),
        "changes": [
            {
                "service": change.place.service,
                "adapter": change.place.adapter,
                "kind": change.kind,
                "from": change.before and change.before.to_wire(),
                "to": change.after and change.after.to_wire(),
                "sentence": change.sentence,
                "wayBack": change.way_back,
            }
            for change in found.changes
        ],
        "nodesAdded": [nodes.to_json() for nodes in found.added],
        "surge": [nodes.to_json() for nodes in found.surge],
        "asked": [
            {
                "service": asked.service,
                "before": "retire" if asked.retires else "raise",
                "questions": list(asked.questions),
                "noMore": list(asked.no_more),
            }
            for asked in found.asked
        ],
        "notes": found.notes,
        "operations": [operation.to_json() for operation in found.operations],
        "diff": found.diff,
    }


def render(found: Report, console: Console) -> None:
    """The report as text."""

    def say(*parts: Any) -> None:
        console.print(Text.assemble(*parts), soft_wrap=True)

    say((found.stack, "bold"), f"  compared with {found.base}")
    say("  ", (found.headline, "bold red" if found.refusals else "bold"))
    for reason in dict.fromkeys(found.refusals):
        say("  ", (reason, "red"))
    for change in found.changes:
        _render_change(change, say)
    for word, text in facts(found):
        say("  ", (f"{word}: ", "cyan"), text)
    for note in found.notes:
        say("  ", ("note: ", "cyan"), note)
    # What is refused is said by its reasons, above.
    for word, operations in [item for item in found.happens.items() if item[0] != "refused"]:
        sign, style = SIGNS[word]
        for line in lines(word, operations):
            say("  ", (f"{sign} {word:<12}", style), line)
    if found.after:
        say((report_words.rehearsed(), "dim"))


def _render_change(change: Change, say: Any) -> None:
    kind = f", {KIND[change.kind]}" if change.kind in KIND else ""
    say(f"  {change.what}{kind}: {stage(change.before)} → {stage(change.after)}")
    width = max(len(name) for name in change.names)
    for name in change.names:
        weight = change.after.weights.get(name) if change.after else None
        canary = change.after is not None and name == change.after.to
        was = change.share(name, after=False) or "-"
        now = change.share(name, after=True) if weight is None else bar(name, weight, width, canary=canary)
        say("    ", f"{name:<{width}}  {now}" if weight is None else now, f"  (was {was})")


def stage(split: Any) -> str:
    """Where a split stands, in a word."""
    return "not there" if split is None else str(split.stage)


def lines(word: str, operations: Iterable[Operation]) -> Iterator[str]:
    """What happens to resources, a line each where there is more to say, else a line a version."""
    if word in ("deleted", "replaced", "updated"):
        for operation in operations:
            yield ": ".join([operation.title, "; ".join(details(operation))]) if [*details(operation)] else operation.title
        return
    groups: dict[str, list[str]] = {}
    for operation in operations:
        groups.setdefault(".".join(operation.name.split(".")[:2]), []).append(operation.title)
    for group in sorted(groups):
        yield ", ".join(groups[group])
