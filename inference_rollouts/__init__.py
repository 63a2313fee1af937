"""What a rollout is: settings, stages, plan and move, as plain values without Pulumi, network or clock."""
