"""What can be said of a PromQL query without its server: whether its brackets and quotes close. All else Prometheus judges."""

from __future__ import annotations

import re

from inference_rollouts.errors import shown

CLOSES = {")": "(", "]": "[", "}": "{"}

TOKEN = re.compile(
    r"""(?P<text> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` ) | (?P<comment> \#[^\n]* ) | (?P<sign> [()\[\]{}"'`] )""",
    re.DOTALL | re.VERBOSE,
)
"""Whole strings and comments first, so that a bracket in them is none, and a quote that is left over has no partner.

Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals (no escapes within backticks).
"""


def balance_problem(query: str) -> str | None:
    """What does not close in a query, or has nothing to close; None when all is balanced.

    >>> balance_problem('sum(rate(a{b=")"}[5m]))') is None, balance_problem("sum(")
    (True, "'sum(' never closes its (; add the )")
    """
    opened: list[str] = []
    for found in TOKEN.finditer(query):
        sign = found["sign"]
        if sign is None:
            continue
        if sign in CLOSES.values():
            opened.append(sign)
        elif sign not in CLOSES:
            return f"{shown(query)} has a quote ({sign}) that never closes; add the other one"
        elif not opened:
            return f"{shown(query)} closes a {sign} that nothing opens; add the {CLOSES[sign]}, or take it out"
        elif opened.pop() != CLOSES[sign]:
            return f"{shown(query)} has brackets that cross: a {sign} stands where another one is to close first"
    if not opened:
        return None
    wanted = next(closing for closing, opening in CLOSES.items() if opening == opened[-1])
    return f"{shown(query)} never closes its {opened[-1]}; add the {wanted}"
