"""Keeps stacks/schema.json equal to the settings: `--write` makes it, `--check` fails when it differs."""

from __future__ import annotations

import sys
from pathlib import Path

from inference_rollouts.settings.schema import schema_text

FILE = Path("stacks/schema.json")


def main(argument: str) -> int:
    """Exit code: 0 when the file is as it should be, else 1."""
    text = schema_text()
    if argument == "--write":
        FILE.write_text(text, "utf-8")
    elif not FILE.is_file() or FILE.read_text("utf-8") != text:
        sys.stderr.write(f"{FILE} is not what the settings say; run: make schema\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "--check"))
