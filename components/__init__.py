"""Pulumi components for rollouts on the GKE Inference Gateway; each is usable on its own by another Pulumi program."""

from components.accelerator_node_pool import AcceleratorNodePool, AcceleratorNodePoolArgs
from components.adapter_split import AdapterSplit, AdapterSplitArgs
from components.cluster_access import ClusterAccess, ClusterAccessArgs
from components.endpoint_picker import EndpointPicker, EndpointPickerArgs
from components.gateway import Gateway, GatewayArgs
from components.inference_pool import InferencePool, InferencePoolArgs
from components.live import LiveChecks
from components.model_server import ModelServer, ModelServerArgs
from components.model_service import ModelService, ModelServiceArgs
from components.served_version import ServedVersion, ServedVersionArgs
from components.stack_config import stack_config
from components.weighted_route import Backend, TestHeader, WeightedRoute, WeightedRouteArgs

__all__ = [
    "AcceleratorNodePool",
    "AcceleratorNodePoolArgs",
    "AdapterSplit",
    "AdapterSplitArgs",
    "Backend",
    "ClusterAccess",
    "ClusterAccessArgs",
    "EndpointPicker",
    "EndpointPickerArgs",
    "Gateway",
    "GatewayArgs",
    "InferencePool",
    "InferencePoolArgs",
    "LiveChecks",
    "ModelServer",
    "ModelServerArgs",
    "ModelService",
    "ModelServiceArgs",
    "ServedVersion",
    "ServedVersionArgs",
    "TestHeader",
    "WeightedRoute",
    "WeightedRouteArgs",
    "stack_config",
]
