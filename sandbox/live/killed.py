"""An update that is killed (-9) right after it has written the route.

python -m sandbox.live.killed PROJECT FILE STAGE SERVICE
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from inference_rollouts.rehearsal.walk import Rehearsal, at
from inference_rollouts.settings.stack_file import read
from sandbox.apply.program import rehearsable
from sandbox.apply.update import Step
from sandbox.home import Home
from sandbox.live.deployer import Deployer


def die_at_the_route(step: Step) -> None:
    """Nothing is tidied up, and the state does not know of the route yet."""
    if step.operation.kind == "HTTPRoute":
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run it; does not return."""
    project, path, stage, service = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    file = read(path)
    rollout = next(r for r in Rehearsal(project, file.stack, file.config).rollouts() if r.service == service)
    deployer = Deployer(Home.default(), project, file.stack, wrote=die_at_the_route)
    deployer.up(at(rehearsable(file.config), rollout, int(stage)))


if __name__ == "__main__":
    main()
