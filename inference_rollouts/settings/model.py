"""The stack config as typed, frozen values: what an operator may write, with its meaning, unit and default.

Each field's description is what the JSON Schema, the editors and the reference in docs/ show. What needs more than one
field to judge stands in `checks`; how keys are inherited in `like`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from inference_rollouts.stages import NAMED, Stage, ladder

DEFAULT_STEPS = (1, 10, 25, 50, 100)


def _sentence(text: str) -> PydanticCustomError:
    return PydanticCustomError("sentence", "{text}", {"text": text})


def _label(value: str) -> str:
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", value):
        raise _sentence(f"{value!r} is no DNS label: a-z, 0-9 and -, beginning with a letter, not ending in -")
    if len(value) > 40:
        raise _sentence(f"{value!r} has {len(value)} characters; at most 40 fit a GKE node pool")
    return value


def _object_name(value: str) -> str:
    if len(value) > 253 or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", value):
        raise _sentence(f"{value!r} is no Kubernetes object name: a-z, 0-9, - and ., at most 253 characters")
    return value


def _model_name(value: str) -> str:
    if not value or len(value) > 253 or any(c.isspace() for c in value):
        raise _sentence(f"{value!r} is no model name: 1 to 253 characters without spaces")
    return value


def _seconds(value: Any) -> int:
    found = re.fullmatch(r"([0-9]{1,6})(s|m|h)", value) if isinstance(value, str) else None
    if not found:
        raise _sentence(f'{value!r} is no duration: write a number and s, m or h, as "300s" or "5m"')
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def _longest_request(seconds: int) -> int:
    if not 1 <= seconds <= 3600:
        raise _sentence(f"{seconds} seconds do not fit: 1s to 1h, the longest draining that GCPBackendPolicy takes")
    return seconds


def _stage(value: Any) -> Stage:
    if value in NAMED or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100):
        return value
    raise _sentence(f"{value!r} is no stage: baseline, prepare, a weight from steps as a number, or retire")


def _steps(value: tuple[int, ...]) -> tuple[int, ...]:
    for step in value:
        if not 1 <= step <= 100:
            raise _sentence(f"{list(value)} holds {step}: a step is a weight in percent, 1 to 100")
    if any(a >= b for a, b in pairwise(value)):
        raise _sentence(f"{list(value)} does not rise: each step is larger than the one before")
    if not value or value[-1] != 100:
        raise _sentence(f"{list(value)} does not end in 100: the last step gives the new version all the traffic")
    return value


def _source(value: str) -> str:
    if re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]+/\S+", value) or re.fullmatch(r"/\S+", value):
        return value
    if re.fullmatch(r"hf://[\w.-]+/[\w.-]+@[\w./-]+", value):
        return value
    if value.startswith("hf://"):
        raise _sentence(f"{value!r} names no revision: hf://OWNER/NAME@REVISION, so that it means one thing for ever")
    raise _sentence(f"{value!r} is no adapter source: gs://BUCKET/PATH, hf://OWNER/NAME@REVISION or /PATH in the image")


Label = Annotated[str, AfterValidator(_label)]
ObjectName = Annotated[str, AfterValidator(_object_name)]
ModelName = Annotated[str, AfterValidator(_model_name)]
Source = Annotated[str, AfterValidator(_source)]
Seconds = Annotated[int, BeforeValidator(_seconds), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[smh]$"})]
LongestRequest = Annotated[
    int,
    BeforeValidator(_seconds),
    AfterValidator(_longest_request),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[smh]$"}),
]
StageValue = Annotated[
    Any,
    BeforeValidator(_stage),
    WithJsonSchema({"anyOf": [{"enum": list(NAMED)}, {"type": "integer", "minimum": 1, "maximum": 100}]}),
]
Steps = Annotated[
    tuple[int, ...],
    Field(strict=False),
    AfterValidator(_steps),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": 100}}),
]
Texts = Annotated[tuple[str, ...], Field(strict=False)]
Maps = Annotated[tuple[dict[str, Any], ...], Field(strict=False)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: frozen, camelCase keys, no unknown keys, no silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, use_attribute_docstrings=True)


class Cluster(Settings):
    """The cluster to deploy to; it exists already."""

    name: str | None = None
    """Name of the GKE cluster. With `location` it makes this a GKE cluster."""
    location: str | None = None
    """Region or zone of the GKE cluster."""
    project: str | None = None
    """Project of the GKE cluster; default: `gcp:project`."""
    endpoint: Literal["dns", "private", "public", "connect-gateway"] = "dns"
    """Which endpoint of the GKE control plane to talk to."""
    context: str | None = None
    """A context of the ambient kubeconfig. Without `name` and `location`: a cluster without GKE node pools and policies."""

    @property
    def gke(self) -> bool:
        """Whether it is a GKE cluster, with node pools, GKE policies and the Reconciled condition."""
        return self.name is not None and self.location is not None


class CreateGateway(Settings):
    """A Gateway of our own."""

    gateway_class: str = Field("gke-l7-regional-external-managed", alias="class")
    """GatewayClass: gke-l7-regional-external-managed, gke-l7-rilb, or another controller's."""
    listeners: Maps = ()
    """Listeners as in the Gateway API; default: HTTPS on 443 with `tls`, else HTTP on 80."""
    tls: dict[str, Any] | None = None
    """`tls` of the HTTPS listeners, as in the Gateway API: certificateRefs or options."""
    address: str | None = None
    """Name of a reserved regional address."""


class Gateway(Settings):
    """The Gateway that the routes attach to."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: Label | None = None
    """Namespace of the Gateway; default: each service's own."""
    create: CreateGateway | None = None
    """Create the Gateway instead of using an existing one."""


class Nodes(Settings):
    """The nodes of a version: a GKE node pool of its own, or a selection of nodes that exist."""

    accelerator: str | None = None
    """GKE's name of the accelerator, as nvidia-l4 or tpu-v6e-slice (`rollout accelerators` lists them)."""
    machine_type: str | None = None
    """Machine type, as g2-standard-12; derived where the accelerator has one only."""
    count: Count | None = None
    """Accelerators per node; derived from the machine type."""
    topology: str | None = None
    """TPU topology, as 2x2; derived where the machine type has one only."""
    zones: Texts = ()
    """Zones of the nodes; default: the cluster's."""
    min: Annotated[int, Field(ge=0)] | None = None
    """Least nodes in all zones together; default: 0."""
    max: Count | None = None
    """Most nodes in all zones together; default: one a replica, and one more to roll over."""
    spot: bool | None = None
    """Spot nodes."""
    reservation: str | None = None
    """Name of a specific reservation: NAME, projects/P/reservations/NAME or NAME/reservationBlocks/BLOCK."""
    driver: Literal["DEFAULT", "LATEST", "INSTALLATION_DISABLED"] | None = None
    """NVIDIA driver that GKE installs; default: DEFAULT."""
    version: str | None = None
    """GKE version of the nodes, as "1.34.1-gke.1829001"; default: the cluster's."""
    existing: str | None = None
    """Name of a node pool that exists: none is created."""
    compute_class: str | None = None
    """Name of a ComputeClass: none is created."""
    node_selector: dict[str, str] | None = None
    """Labels of nodes that exist: no node pool is created."""


class Autoscaling(Settings):
    """A HorizontalPodAutoscaler; `replicas` is then left to it."""

    min: Count
    """Least replicas."""
    max: Count
    """Most replicas."""
    metric: str = "prometheus.googleapis.com|vllm:num_requests_waiting|gauge"
    """Pods metric, as the custom metrics adapter names it."""
    target: Annotated[int, Field(ge=1)] = 5
    """Average value of the metric per pod."""


class Lora(Settings):
    """LoRA capacity of a version; it never changes with the adapters that happen to be there."""

    max_loras: Count
    """Adapters in one batch (vLLM --max-loras): all that a service routes at a time must fit."""
    max_rank: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]
    """Largest rank (vLLM --max-lora-rank)."""


class TokenSecret(Settings):
    """A Secret that exists, with a Hugging Face token."""

    name: ObjectName
    """Name of the Secret."""
    key: str = "token"
    """Key in the Secret."""


class Server(Settings):
    """The model server of a version."""

    model: str | None = None
    """Model to load, as the server takes it (vLLM --model)."""
    image: str | None = None
    """Container image, with a tag or digest."""
    engine: Literal["vllm", "openai"] = "vllm"
    """`vllm`: command and flags are rendered. `openai`: any server with an OpenAI API on port 8000; `args` are yours."""
    replicas: Count = 1
    """Pods, where `autoscaling` is not set."""
    autoscaling: Autoscaling | None = None
    """Let a HorizontalPodAutoscaler set the replicas."""
    lora: Lora | None = None
    """LoRA capacity; required where there are adapters."""
    service_account: ObjectName = "default"
    """Kubernetes ServiceAccount of the pods; its identity downloads gs:// adapters."""
    args: Texts = ()
    """Further arguments."""
    env: dict[str, str] = Field(default_factory=dict)
    """Further environment variables."""
    resources: dict[str, Any] | None = None
    """Container resources; default: all accelerators of a node."""
    token_secret: TokenSecret | None = None
    """Hugging Face token, as HF_TOKEN."""
    load_timeout: Seconds = 1800
    """How long a pod may take to load the model; default: 30m."""
    pod_labels: dict[str, str] = Field(default_factory=dict)
    """Further pod labels."""
    pod_annotations: dict[str, str] = Field(default_factory=dict)
    """Further pod annotations."""
    pod_spec: dict[str, Any] = Field(default_factory=dict)
    """Merged into the pod spec: maps merge, lists of named items merge by name, other lists replace."""


class EndpointPicker(Settings):
    """The endpoint picker of a version's pool."""

    image: str | None = None
    """Container image; default: the one that fits `inferenceApi`."""
    replicas: Count = 1
    """Pods; more than one elect a leader."""
    failure_mode: Literal["FailOpen", "FailClose"] = "FailOpen"
    """What the gateway does while no picker answers: FailOpen sends to any endpoint, FailClose fails the request."""
    resources: dict[str, Any] | None = None
    """Container resources; default: 4 CPU and 8Gi."""
    args: Texts = ()
    """Further arguments."""
    config: str | None = None
    """EndpointPickerConfig as YAML text; default: queue, KV cache and prefix cache scorers."""


class AdapterSource(Settings):
    """Where an adapter version comes from on this version's base model."""

    source: Source
    """gs://BUCKET/PATH, hf://OWNER/NAME@REVISION or /PATH in the image."""


class External(Settings):
    """A pool that somebody else owns: only the route knows it."""

    pool: ObjectName
    """Name of the InferencePool."""


class Names(Settings):
    """Physical names, to take over what exists; default: the version's name. Not inherited by `like`."""

    node_pool: Label | None = None
    """GKE node pool."""
    server: ObjectName | None = None
    """Deployment of the model server."""
    pool: ObjectName | None = None
    """InferencePool."""
    picker: ObjectName | None = None
    """Deployment, Service and ServiceAccount of the endpoint picker."""


class Version(Settings):
    """One complete way to serve: node pool, model server, InferencePool and endpoint picker."""

    like: str | None = None
    """Another version of the service to inherit from: maps merge, lists replace, null removes."""
    nodes: Nodes | None = None
    """The nodes."""
    server: Server | None = None
    """The model server."""
    endpoint_picker: EndpointPicker = Field(default_factory=EndpointPicker)
    """The endpoint picker."""
    adapters: dict[ModelName, AdapterSource] = Field(default_factory=dict)
    """Sources of adapter versions for this version's base model, where they differ from the adapter's own."""
    external: External | None = None
    """Route to a pool that somebody else owns, instead of building one."""
    names: Names = Field(default_factory=Names)
    """Physical names."""
    allow_in_place_updates: bool = False
    """Let an update change the running servers of this version although it carries traffic (one pod at a time)."""


class Override(Settings):
    """Allows exactly one move that the ladder refuses; never the removal of something that has weight."""

    origin: StageValue = Field(alias="from")
    """The deployed stage."""
    to: StageValue
    """The wanted stage."""
    reason: str
    """Why."""
    by: str
    """Who decided it."""


class TestTraffic(Settings):
    """Pins test traffic to the canary from `prepare` on."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]{1,256}$")]
    """Request header."""
    value: Annotated[str, Field(min_length=1, max_length=4096)]
    """Its exact value."""


class AdapterRollout(Settings):
    """Moves an adapter from the version that is `serving` to the version `to`."""

    to: ModelName
    """The version to move to."""
    steps: Steps = DEFAULT_STEPS
    """Canary weights in percent, rising, ending in 100."""
    stage: StageValue
    """Where the rollout stands: baseline, prepare, a weight from `steps`, or retire."""
    kind: Literal["node", "base-model", "adapter"] | None = None
    """Assertion: which kind of rollout this is; another is refused."""
    override: Override | None = None
    """Allow one move that the ladder refuses."""

    @property
    def ladder(self) -> tuple[Stage, ...]:
        """All stages in order."""
        return ladder(self.steps)


class Rollout(AdapterRollout):
    """Moves the service from the version that is `serving` to the version `to`."""

    to: Label
    """The version to move to."""
    test: TestTraffic | None = None
    """Pin test traffic to the canary by a header."""


class AdapterVersion(Settings):
    """One version of a LoRA adapter. Its name means one source for ever."""

    source: Source
    """gs://BUCKET/PATH, hf://OWNER/NAME@REVISION or /PATH in the image."""
    rank: Count | None = None
    """Rank of the adapter; checked against `server.lora.maxRank`."""


class Adapter(Settings):
    """A LoRA adapter that clients ask for by name."""

    serving: ModelName
    """The version that serves."""
    versions: dict[ModelName, AdapterVersion]
    """Its versions, by the name under which the servers hold them."""
    criticality: Literal["Critical", "Standard", "Sheddable"] | None = None
    """What is shed first under load; under `v1` and `llm-d` for clients that send the objective header only."""
    rollout: AdapterRollout | None = None
    """A rollout that is under way."""
    decommission: bool = False
    """Lift the protection, so that the next update may take the adapter away."""


class Route(Settings):
    """The HTTPRoute of a service."""

    name: ObjectName | None = None
    """Name; default: the service's."""
    hostnames: Texts = ()
    """Hostnames; default: all of the listener."""
    matches: Maps = ()
    """HTTPRouteMatches as in the Gateway API; default: every path."""
    parent_refs: Maps = ()
    """parentRefs as in the Gateway API; default: `gateway`."""
    rules: Maps = ()
    """Further rules, kept as they are, before the weighted one."""


class Service(Settings):
    """One inference service that clients call."""

    namespace: Label = "default"
    """Namespace of everything of the service."""
    models: Annotated[tuple[ModelName, ...], Field(strict=False)] = ()
    """Model names that clients send; every version answers to all of them. Default: the service's name."""
    route: Route = Field(default_factory=Route)
    """The HTTPRoute."""
    serving: Label
    """The version that serves."""
    versions: dict[Label, Version]
    """The versions, by name. One that neither serves nor is `to` is a template and not built."""
    adapters: dict[ModelName, Adapter] = Field(default_factory=dict)
    """LoRA adapters, by the name that clients ask for."""
    rollout: Rollout | None = None
    """A rollout that is under way."""
    decommission: bool = False
    """Lift the protection, so that the next update may take the service away."""
    longest_request: LongestRequest = 300
    """The longest request: backend time-out, connection draining and server shutdown follow from it. Default: 300s."""
    backend_policy: dict[str, Any] = Field(default_factory=dict)
    """Merged into `default` of the GCPBackendPolicy of every version (securityPolicy, iap, logging, …)."""
    inference_api: Literal["v1", "llm-d", "v1alpha2"] = "v1"
    """API generation: v1 (InferencePool v1, x-k8s.io Rewrite and Objective), llm-d, or v1alpha2 (with InferenceModel)."""


class Stack(Settings):
    """The whole stack config under `inference-rollouts:`."""

    cluster: Cluster
    """The cluster."""
    gateway: Gateway
    """The Gateway."""
    services: dict[Label, Service]
    """The services, by name."""
