"""Processes, told apart even when the machine gives a number to another one."""

from __future__ import annotations

from pathlib import Path


def started(pid: int) -> str | None:
    """When a process started, as text that no other process with its number can have; None when there is none.

    The boot's id stands in it: after a reboot, numbers and times begin anew. A process that has ended and waits to be
    collected counts as gone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except OSError:
        return None
    # The name in parentheses may hold blanks and parentheses: the fields begin after the last one.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def children(pid: int) -> dict[int, int]:
    """The processes that a supervisor started: their number in its PID namespace -> their number here."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines() if ":" in line)
        except OSError:
            continue
        if fields.get("PPid", "").strip() == str(pid):
            found[int(fields["NSpid"].split()[-1])] = int(status.parent.name)
    return found
