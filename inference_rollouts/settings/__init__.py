"""Text to settings: the stack config as typed, frozen values, or every problem at once."""

from inference_rollouts.settings.load import PROJECT, load
from inference_rollouts.settings.model import (
    Adapter,
    AdapterRollout,
    Cluster,
    CreateGateway,
    EndpointPicker,
    Gateway,
    Nodes,
    Override,
    Rollout,
    Route,
    Server,
    Service,
    Stack,
    Version,
)

__all__ = [
    "PROJECT",
    "Adapter",
    "AdapterRollout",
    "Cluster",
    "CreateGateway",
    "EndpointPicker",
    "Gateway",
    "Nodes",
    "Override",
    "Rollout",
    "Route",
    "Server",
    "Service",
    "Stack",
    "Version",
    "load",
]
