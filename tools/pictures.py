"""Pictures of the terminal for README and docs, drawn from what the commands really print.

    venv/bin/python tools/pictures.py [--check]

Each command runs in a terminal of its own (a pty) in a copy of the project, so that it prints as it does for a person. `--check`
writes nothing, and ends with 1 when a picture is not what would be drawn.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fcntl import ioctl
from io import StringIO
from pathlib import Path
from termios import TIOCSWINSZ

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 128

EDIT = "sed -i 's/stage: 10 /stage: 25 /; s/stage: 10$/stage: 25/' stacks/Pulumi.node-update.yaml"


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        name: of the file.
        command: what is typed.
        before: done before, unseen.
        most: lines that are shown; what follows is left out, and said to be.
    """

    name: str
    command: str
    before: str = ""
    most: int = 60


ALL = (
    Picture("status", "rollout status node-update lora-adapter"),
    Picture("rehearse", "rollout rehearse node-update", most=48),
    Picture("preview", "rollout preview node-update --base HEAD", before=EDIT),
    Picture("refused", "rollout preview node-update --base HEAD", before=EDIT.replace("stage: 25", "stage: 100")),
)


def main() -> int:
    """Draw them, or check that they are drawn."""
    check = "--check" in sys.argv[1:]
    stale = []
    for picture in ALL:
        with tempfile.TemporaryDirectory() as folder:
            drawn = draw(picture, printed(picture, project(Path(folder) / "project")))
        path = PICTURES / f"{picture.name}.svg"
        if check and (not path.exists() or path.read_text("utf-8") != drawn):
            stale.append(path.relative_to(ROOT))
        elif not check:
            PICTURES.mkdir(exist_ok=True)
            path.write_text(drawn, "utf-8")
    for path in stale:
        sys.stderr.write(f"{path} is not what the command prints; run: make pictures\n")
    return int(bool(stale))


def project(folder: Path) -> Path:
    """A copy of the project's examples in a repository of its own."""
    shutil.copytree(ROOT / "stacks", folder / "stacks")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder)
    identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Stacks"]):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    return folder


def printed(picture: Picture, folder: Path) -> str:
    """What the command prints on a terminal, with its colours."""
    if picture.before:
        subprocess.run(["sh", "-c", picture.before], cwd=folder, check=True)
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    argv = [sys.executable, "-m", "inference_rollouts.cli.main", *picture.command.split()[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for name in ("NO_COLOR", "CI", "COLUMNS"):
        environment.pop(name, None)
    with subprocess.Popen(argv, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        data = b""
        while chunk := _read(ours):
            data += chunk
        running.wait()
    os.close(ours)
    return data.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what reading says when nobody has the other end any more
        return b""


def draw(picture: Picture, text: str) -> str:
    """The terminal as SVG, without anything that would be fetched."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor", highlight=False)
    console.print(Text.assemble(("$ ", "bold green"), (picture.command, "bold")))
    lines = Text.from_ansi(text.strip("\n")).split("\n")
    for line in lines[: picture.most]:
        console.print(line)
    if len(lines) > picture.most:
        console.print(Text(f"… {len(lines) - picture.most} more lines", style="dim"))
    svg = console.export_svg(title="", theme=DIMMED_MONOKAI, unique_id=f"rollout-{picture.name}")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main())
