"""The `rollout` command: a file per verb; each reads settings, plan and rehearsal, and decides nothing itself."""
