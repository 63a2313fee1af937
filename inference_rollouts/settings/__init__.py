"""Text to settings: the stack config as typed, frozen values, or every problem at once."""

from inference_rollouts.settings.load import PROJECT, load
from inference_rollouts.settings.model import (
    Adapter,
    AdapterRollout,
    Autoscaling,
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
from inference_rollouts.settings.prices import Price

__all__ = [
    "PROJECT",
    "Adapter",
    "AdapterRollout",
    "Autoscaling",
    "Cluster",
    "CreateGateway",
    "EndpointPicker",
    "Gateway",
    "Nodes",
    "Override",
    "Price",
    "Rollout",
    "Route",
    "Server",
    "Service",
    "Stack",
    "Version",
    "load",
]
