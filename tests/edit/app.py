"""The command, as the tests of its verbs run it."""

from inference_rollouts.cli.main import everything, run

app = everything()

__all__ = ["app", "run"]

if __name__ == "__main__":
    run()
