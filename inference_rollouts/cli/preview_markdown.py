"""A preview as a pull-request comment: what moves in a sentence, a table and a picture; all the rest folded."""

from __future__ import annotations

from collections.abc import Iterator

from inference_rollouts.cli.changes import details
from inference_rollouts.cli.preview import facts, lines, stage
from inference_rollouts.cli.preview_report import Report
from inference_rollouts.edit import report_words
from inference_rollouts.edit.changes import Change
from inference_rollouts.rehearsal.engine import Operation
from inference_rollouts.wording import KIND

MARKER = "<!-- rollout preview: {stack} -->"
"""First line of a comment: by it the next preview of the stack finds the comment to update."""

FIRST = ("HTTPRoute", "InferenceModelRewrite", "InferenceModel", "NodePool", "InferencePool", "Deployment")
"""Kinds that a reader looks for first."""

DIFF_SIGNS = {"refused": "!", "deleted": "-", "replaced": "!", "updated": "!", "created": "+"}
"""What a diff block colours: red, green, and orange for `!`."""

SHOWN = 4
"""Resources that are named before the rest is counted."""


def markdown(report: Report) -> str:
    """The whole comment."""
    parts = [
        [MARKER.format(stack=report.stack), f"### {report.stack}", "", f"**{_headline(report)}**"],
        [f"- {_escaped(reason)}" for reason in dict.fromkeys(report.refusals)],
        *(_table(change, refused=bool(report.refusals)) for change in report.changes),
        _picture(report),
        list(_facts(report)),
        [f"> {_escaped(note)}" for note in report.notes],
        _folded("All operations", "diff", list(_operations(report))),
        _folded(f"The change of {report.file}", "diff", report.diff.splitlines()),
        [f"<sub>Compared with {_escaped(report.base)}. {report_words.rehearsed()}</sub>"] if report.after else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _headline(report: Report) -> str:
    text = _escaped(report.headline[0].upper() + report.headline[1:])
    return f"⛔ {text}" if report.refusals else text


def _escaped(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    for sign in ("\\", "`", "*", "_", "[", "]", "|", "~"):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _table(change: Change, *, refused: bool) -> list[str]:
    """The weights before and after."""
    title = change.what + (f", {KIND[change.kind]}" if change.kind in KIND else "")
    heads = [title, stage(change.before), stage(change.after) + (" (wanted)" if refused else "")]
    rows = [f"| {' | '.join(_escaped(head) for head in heads)} |", "|---|--:|--:|"]
    for name in change.names:
        cells = [change.share(name, after=after) for after in (False, True)]
        after = f"**{cells[1]}**" if cells[1] and cells[0] != cells[1] else cells[1]
        rows.append(f"| {_escaped(name)} | {cells[0]} | {after} |")
    return rows


# --- the picture ------------------------------------------------------------------------------------------------------


def _picture(report: Report) -> list[str]:
    """Where requests go after the update, for what moves; none of a refused one, which moves nothing."""
    shown = [change for change in report.changes if change.after]
    if report.refusals or not shown or report.after is None:
        return []
    gateway = report.after.settings.gateway.name
    drawn = [line for i, change in enumerate(shown) for line in _split_picture(i, change, gateway)]
    return ["```mermaid", "flowchart LR", *drawn, "```"]


def _split_picture(index: int, change: Change, gateway: str) -> Iterator[str]:
    split = change.after
    assert split is not None, "only what is there after the update is drawn"
    root = f"{gateway}<br/>{change.what}" if change.place.adapter is None else f"model {change.place.adapter}"
    yield f'    r{index}(["{_label(root)}"])'
    for i, (name, weight) in enumerate(split.weights.items()):
        arrow = f'-- "{weight} %" -->' if weight else '-. "0 %" .->'
        yield f'    r{index} {arrow} v{index}x{i}["{_label(name)}"]'
    if split.serving not in split.weights:
        yield f'    idle{index}["{_label(split.serving)}<br/>idle"]'


def _label(text: str) -> str:
    return text.replace('"', "#quot;")


# --- facts and operations ---------------------------------------------------------------------------------------------


def _facts(report: Report) -> Iterator[str]:
    named = {word: found for word, found in report.happens.items() if word not in ("unchanged", "refused")}
    for word, text in facts(report):
        yield f"- **{word}**: {_escaped(text)}"
        if word == "resources":
            yield from (f"  - {done}: {_named(found)}" for done, found in named.items())


def _named(operations: list[Operation]) -> str:
    """The first of them by name, the others counted."""
    order = {kind: i for i, kind in enumerate(FIRST)}
    titles = [o.title for o in sorted(operations, key=lambda o: (order.get(o.kind, len(order)), o.title))]
    rest = f" and {len(titles) - SHOWN} more" if len(titles) > SHOWN else ""
    return _escaped(", ".join(titles[:SHOWN])) + rest


def _operations(report: Report) -> Iterator[str]:
    for word, found in report.happens.items():
        if word not in DIFF_SIGNS:
            yield from (f"  {word:<12}{line}" for line in lines(word, found))
            continue
        for operation in found:
            yield f"{DIFF_SIGNS[word]} {word:<12}{operation.title}"
            yield from (f"{' ' * 14}{line}" for line in details(operation))


def _folded(title: str, language: str, inside: list[str]) -> list[str]:
    if not inside:
        return []
    fence = "````" if any(line.lstrip("+- ").startswith("```") for line in inside) else "```"
    return [f"<details><summary>{_escaped(title)}</summary>", "", f"{fence}{language}", *inside, fence, "", "</details>"]
