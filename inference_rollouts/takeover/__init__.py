"""Takes over what exists: manifests or a live cluster to a stack file."""
