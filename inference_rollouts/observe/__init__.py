"""Reads the world: cluster and metrics, as findings. The only code that does, and imported only for a raise or a question."""
