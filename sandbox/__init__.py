"""A local cluster of real parts, without containers, on which a rollout is tried under real traffic."""
