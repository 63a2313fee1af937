"""What the command line of `rollout probe` gives: where to send, credentials, CAs. What is wrong with it is a usage error."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from inference_rollouts.observe.probe_door import by_url

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, token)."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is given besides the stack.

    Attributes:
        url: where to send; None for the Gateway's address.
        headers: by name, with their values as they are sent.
        verify: whether certificates are verified; a text is a file of CAs.
    """

    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True


def given(url: str | None, headers: Sequence[str], cacert: Path | None, *, insecure: bool) -> Given:
    """Check the options, and read the files and variables that they name.

    Raises:
        typer.BadParameter: when one of them cannot be used; it shows no value of a header.
    """
    if insecure and cacert:
        raise typer.BadParameter("--insecure verifies nothing, so --cacert has no effect: leave one of them out")
    if url is not None:
        try:
            by_url(url, ())
        except ValueError as e:
            raise typer.BadParameter(str(e), param_hint="--url") from None
    return Given(url=url, headers=dict(map(_header, headers)), verify=_cas(cacert) if cacert else not insecure)


def _header(text: str) -> tuple[str, str]:
    name, colon, rest = text.partition(":")
    name = name.strip()
    if not colon or not TOKEN.fullmatch(name):
        raise _bad("it is written 'NAME: VALUE'")
    value = _filled(name, rest.strip())
    if not value or not value.isprintable() or not value.isascii():
        raise _bad(f"the value of {name} is empty, or holds what no header may hold: one line of plain characters is allowed")
    return name, value


def _filled(name: str, value: str) -> str:
    """With what the file at the end holds (`@FILE`, alone or after a word, as Bearer), or with variables (`${NAME}`)."""
    if found := re.fullmatch(r"((?:\S+ +)?)@(.+)", value):
        try:
            return found[1] + Path(found[2]).read_text("utf-8").strip()
        except (OSError, ValueError) as e:
            raise _bad(
                f"the value of {name} comes from {found[2]}, which cannot be read: {getattr(e, 'strerror', None) or e}"
            ) from None
    missing = [variable for variable in re.findall(r"\$\{(\w+)\}", value) if variable not in os.environ]
    if missing:
        raise _bad(f"the value of {name} comes from the variable {missing[0]}, which is not set")
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ[found[1]], value)


def _bad(text: str) -> typer.BadParameter:
    return typer.BadParameter(text, param_hint="--header")


def _cas(file: Path) -> str:
    """The file, when it holds certificates."""
    try:
        ssl.create_default_context(cafile=str(file))
    except (OSError, ValueError) as e:
        raise typer.BadParameter(f"{file} holds no certificates that can be read: {e}", param_hint="--cacert") from None
    return str(file)
