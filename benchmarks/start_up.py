"""How long the verbs of every day take to start, as a ratio to the mere import of the libraries that they use.

    venv/bin/python benchmarks/start_up.py [--runs 15] [--json]

For each verb: which modules it has loaded when it ends. One process imports just those that are not ours; a second one imports
all of them, so that it has started and has done nothing yet; a third one is the verb itself, which also builds pydantic's
classes, reads the stack file, plans, and (advance) writes it and reads it again. All are run in turn, whole processes, and their
CPU time is compared (the wall clock would measure what else the machine does). Exit 1 when the start takes more than the limit
times the bare imports, or when a verb has loaded pulumi.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1.3
VERBS = {
    "validate": ["validate", "node-update"],
    "status": ["status", "node-update"],
    "advance": ["advance", "node-update", "--yes"],
}
OURS = ("inference_rollouts", "components")
NEVER = ("pulumi", "grpc", "kubernetes", "google")

MAIN = "import sys; from inference_rollouts.cli.main import run; sys.argv[1:] = {arguments!r}; run()"
LOADED = """
import atexit, json, sys
@atexit.register
def tell():
    names = [n for n in list(sys.modules) if n != "__main__" and "__editable__" not in n]
    json.dump(names, open({target!r}, "w"))
"""


def cpu_seconds(code: str, folder: Path) -> float:
    """CPU time of a Python process that runs this code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Byte code is kept, as for every user: what is measured is no compiler.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stderr.decode()}\nthe code that was measured ended with {done.returncode}:\n{code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def project(folder: Path) -> Path:
    """A copy of the example, at a stage from which it can advance again and again: each run gets a fresh one."""
    (folder / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py", "stacks/Pulumi.node-update.yaml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def loaded(arguments: Sequence[str], folder: Path) -> list[str]:
    """Modules that a verb has loaded when it ends."""
    target = folder / "loaded.json"
    cpu_seconds(LOADED.format(target=str(target)) + MAIN.format(arguments=list(arguments)), folder)
    return json.loads(target.read_text())


def importing(names: Sequence[str]) -> str:
    """Code that imports modules."""
    return f"import importlib\nfor name in {list(names)!r}: importlib.import_module(name)"


def measure(arguments: Sequence[str], runs: int, scratch: Path) -> dict[str, object]:
    """Median CPU times of the libraries' imports, of the verb's start, and of the whole verb; and the medians of their ratios."""
    names = loaded(arguments, project(scratch / "loaded"))  # and the byte code is there
    libraries = [name for name in names if name.partition(".")[0] not in OURS]
    bare, start, verb = [], [], []
    for run in range(runs):
        folder = project(scratch / str(run))
        bare.append(cpu_seconds(importing(libraries), folder))
        start.append(cpu_seconds(importing(names), folder))
        verb.append(cpu_seconds(MAIN.format(arguments=list(arguments)), folder))
    return {
        "importSeconds": round(statistics.median(bare), 3),
        "startSeconds": round(statistics.median(start), 3),
        "verbSeconds": round(statistics.median(verb), 3),
        "ratio": round(statistics.median(a / b for a, b in zip(start, bare, strict=True)), 2),
        "ratioOfTheVerb": round(statistics.median(a / b for a, b in zip(verb, bare, strict=True)), 2),
        "limit": LIMIT,
        "libraries": sorted({name.partition(".")[0] for name in libraries} - sys.stdlib_module_names),
        "mustNotBeThere": sorted({name.partition(".")[0] for name in names} & set(NEVER)),
    }


def main() -> int:
    """Measure, say it, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = {}
    for name, arguments in VERBS.items():
        with tempfile.TemporaryDirectory() as scratch:
            found[name] = measure(arguments, asked.runs, Path(scratch))
    if asked.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        for name, figures in found.items():
            line = (
                f"{name:<9} starts in {figures['startSeconds']} s CPU, {figures['ratio']} times its libraries' imports "
                f"({figures['importSeconds']} s; limit {LIMIT}); done in {figures['verbSeconds']} s ({figures['ratioOfTheVerb']})"
            )
            sys.stdout.write(f"{line}\n          libraries: {', '.join(figures['libraries'])}\n")
    return int(any(f["ratio"] > f["limit"] or f["mustNotBeThere"] for f in found.values()))


if __name__ == "__main__":
    sys.exit(main())
