"""The programs of the sandbox: built once from the pins in parts/go.mod, kept by what they are built from.

`<cache>/sandbox-bin-<hash>/<program>`. Programs of others hang on go.mod, go.sum and the flags; our own also on their
sources, so that a change there builds that one alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.home import Gateways, SandboxError, cache

PARTS = Path(__file__).parent / "parts"
PROMETHEUS = Path(__file__).parents[1] / "tools/prometheus"

KUBERNETES = "v1.36.3"
_VERSION = "k8s.io/component-base/version"
LDFLAGS = (
    f"-s -w -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor={KUBERNETES.split('.')[1]} "
    f"-X {_VERSION}.gitTreeState=clean"
)
"""Without its version in it, the API server gives one that clients cannot parse."""

GO_NEEDED = (
    "Go is needed to build the parts of the sandbox, once (https://go.dev/dl): install Go {wanted} or newer, see that `go` is "
    "on PATH, and say it again"
)


@dataclass(frozen=True)
class Program:
    """One program that Go builds.

    Attributes:
        name: of the file.
        package: import path, or `./folder` for one of our own.
        module: folder of the go.mod that pins it.
        ldflags, tags: as `go build` takes them.
    """

    name: str
    package: str
    module: Path = PARTS
    ldflags: str = LDFLAGS
    tags: str = ""

    @cached_property
    def path(self) -> Path:
        """Where it is kept once it is built."""
        return cache() / f"sandbox-bin-{self.hash}" / self.name

    @cached_property
    def hash(self) -> str:
        """Of all that it is built from."""
        seen = hashlib.sha256("\0".join((self.ldflags, self.tags)).encode())
        files = [self.module / "go.mod", self.module / "go.sum"]
        if self.package.startswith("./"):
            own = self.module / self.package
            files += sorted(file for file in own.rglob("*.go") if not file.name.endswith("_test.go"))
        for file in files:
            seen.update(f"{file.relative_to(self.module)}\0".encode())
            seen.update(hashlib.sha256(file.read_bytes()).digest())
        return seen.hexdigest()[:12]


PROGRAMS = (
    Program("relay", "./relay", ldflags="-s -w"),
    Program("load", "./load", ldflags="-s -w"),
    Program("etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Program("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    Program("epp", "sigs.k8s.io/gateway-api-inference-extension/cmd/epp"),
    Program("llm-d-inference-sim", "github.com/llm-d/llm-d-inference-sim/cmd/llm-d-inference-sim"),
    Program(
        "prometheus",
        "github.com/prometheus/prometheus/cmd/prometheus",
        module=PROMETHEUS,
        ldflags="-s -w",
        # As tools/prometheus/build.sh builds it for the tests: without the service discovery of clouds and the web pages.
        tags="remove_all_sd,netgo",
    ),
)
ISTIOD = Program("pilot-discovery", "istio.io/istio/pilot/cmd/pilot-discovery")


def programs(gateway: Gateways = "gke") -> tuple[Program, ...]:
    """What a sandbox with this gateway needs built."""
    return (*PROGRAMS, ISTIOD) if gateway == "istio" else PROGRAMS


def missing(wanted: Iterable[Program]) -> list[Program]:
    """Those that are not built yet."""
    return [program for program in wanted if not os.access(program.path, os.X_OK)]


@dataclass(frozen=True)
class Step:
    """One program being built, or built.

    Attributes:
        name: of the program.
        number, of: k of n.
        seconds: so far, or in all.
        done: whether it is built.
    """

    name: str
    number: int
    of: int
    seconds: float
    done: bool


def build(wanted: Sequence[Program], tell: Callable[[Step], None]) -> None:
    """Build what is missing, one after the other: Go itself uses all cores.

    Args:
        tell: called once a second while one is built, and when it is.

    Raises:
        SandboxError: there is no Go, it is too old, or a build failed; what was built before stays, half a program never does.
    """
    todo = missing(wanted)
    if not todo:
        return
    go = _go(todo[0].module)
    for number, program in enumerate(todo, 1):
        began = time.monotonic()

        def so_far(done: bool, number: int = number, name: str = program.name, began: float = began) -> None:
            tell(Step(name, number, len(todo), time.monotonic() - began, done))

        _build(go, program, so_far)
        so_far(True)


def _build(go: str, program: Program, tick: Callable[[bool], None]) -> None:
    program.path.parent.mkdir(parents=True, exist_ok=True)
    partial = program.path.with_name(f".{program.name}.{os.getpid()}")
    flags = ["-trimpath", "-ldflags", program.ldflags, *(["-tags", program.tags] if program.tags else [])]
    command = [go, "build", *flags, "-o", str(partial), program.package]
    try:
        code, said = _run(command, program.module, tick)
        if code:
            raise SandboxError(f"{program.name} could not be built:\n{said}")
        partial.replace(program.path)
    finally:
        partial.unlink(missing_ok=True)


def _run(command: Sequence[str], folder: Path, tick: Callable[[bool], None]) -> tuple[int, str]:
    """Exit code and the end of what it said."""
    # A process group of its own, so that Go's compilers can be ended together with it.
    how: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "process_group": 0}
    with subprocess.Popen(command, cwd=folder, env=_env(), stdin=subprocess.DEVNULL, **how) as process:
        try:
            while True:
                try:
                    said, _ = process.communicate(timeout=1)
                    return process.returncode, said.strip()[-2000:]
                except subprocess.TimeoutExpired:
                    tick(False)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _go(module: Path) -> str:
    """The go command, new enough for the module.

    Raises:
        SandboxError: there is none.
    """
    wanted = next(line.split()[1] for line in (module / "go.mod").read_text("utf-8").splitlines() if line.startswith("go "))
    go = shutil.which("go")
    if go is None:
        raise SandboxError(GO_NEEDED.format(wanted=wanted))
    # Go 1.21 and newer fetch what a go.mod asks for, unless told not to; an older one stops here.
    asked = subprocess.run([go, "list", "-m"], cwd=module, env=_env(), capture_output=True, text=True, check=False)
    if asked.returncode:
        raise SandboxError(f"{GO_NEEDED.format(wanted=wanted)} ({go} says: {' '.join(asked.stderr.split())})")
    return go


def _env() -> Mapping[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GO111MODULE": "on"}
