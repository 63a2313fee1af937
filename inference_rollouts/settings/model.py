"""The stack config as typed, frozen values: what an operator may write, with its meaning, unit and default.

Each field's description is what the JSON Schema, the editors and the reference in docs/ show. What needs more than one
field to judge stands in `checks`; how keys are inherited in `like`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from inference_rollouts.settings.base import Settings
from inference_rollouts.settings.conditions import Amount, Check, Duration, FreezeWindow, Metrics
from inference_rollouts.settings.kubernetes import ContainerResources, Listeners, Matches, ParentRefs
from inference_rollouts.settings.prices import Prices
from inference_rollouts.settings.types import (
    Count,
    CountOrNone,
    DnsLabel,
    Header,
    Hostname,
    Label,
    LabelKey,
    LoadTimeout,
    Location,
    LongestRequest,
    Maps,
    ModelName,
    ObjectName,
    PodSpec,
    ServiceName,
    Source,
    StageValue,
    Steps,
    Text,
    Texts,
)
from inference_rollouts.stages import Stage, ladder

DEFAULT_STEPS = (1, 10, 25, 50, 100)


class Cluster(Settings):
    """The cluster to deploy to; it exists already."""

    name: Text | None = None
    """Name of the GKE cluster. With `location` it makes this a GKE cluster."""
    location: Location | None = None
    """Region or zone of the GKE cluster."""
    project: Text | None = None
    """Project of the GKE cluster; default: `gcp:project`."""
    endpoint: Literal["dns", "private", "public", "connect-gateway"] = "dns"
    """Which endpoint of the GKE control plane to talk to."""
    context: Text | None = None
    """A context of the ambient kubeconfig. Without `name` and `location`: a cluster without GKE node pools and policies."""

    @property
    def gke(self) -> bool:
        """Whether it is a GKE cluster, with node pools, GKE policies and the Reconciled condition."""
        return self.name is not None and self.location is not None


class CreateGateway(Settings):
    """A Gateway of our own."""

    gateway_class: ObjectName = Field("gke-l7-regional-external-managed", alias="class")
    """GatewayClass: gke-l7-regional-external-managed, gke-l7-rilb, or another controller's."""
    listeners: Listeners = ()
    """Listeners as in the Gateway API; default: HTTPS on 443 with `tls`, else HTTP on 80."""
    tls: dict[str, Any] | None = None
    """`tls` of the HTTPS listeners, as in the Gateway API: certificateRefs or options."""
    address: Text | None = None
    """Name of a reserved regional address."""


class Gateway(Settings):
    """The Gateway that the routes attach to."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: DnsLabel | None = None
    """Namespace of the Gateway; default: each service's own, and `default` for one that is created."""
    create: CreateGateway | None = None
    """Create the Gateway instead of using an existing one."""


class Nodes(Settings):
    """The nodes of a version: a GKE node pool of its own, or a selection of nodes that exist."""

    accelerator: Text | None = None
    """GKE's name of the accelerator, as nvidia-l4 or tpu-v6e-slice (`rollout accelerators` lists them)."""
    machine_type: Text | None = None
    """Machine type, as g2-standard-12; derived where the accelerator has one only."""
    count: Count | None = None
    """Accelerators per node; derived from the machine type."""
    topology: Text | None = None
    """TPU topology, as 2x2; derived where the machine type has one only."""
    zones: Annotated[tuple[Location, ...], Field(strict=False)] = ()
    """Zones of the nodes; default: the cluster's."""
    min: CountOrNone | None = None
    """Least nodes in all zones together; default: 0."""
    max: Count | None = None
    """Most nodes in all zones together; default: one a replica, and one more to roll over."""
    spot: bool | None = None
    """Spot nodes, for a canary: they can be taken away, so no version serves on them unless a rollout leads away from it."""
    reservation: Text | None = None
    """Name of a specific reservation: NAME, projects/P/reservations/NAME or NAME/reservationBlocks/BLOCK."""
    driver: Literal["DEFAULT", "LATEST", "INSTALLATION_DISABLED"] | None = None
    """NVIDIA driver that GKE installs; default: DEFAULT."""
    version: Text | None = None
    """GKE version of the nodes, as "1.34.1-gke.1829001"; default: the cluster's."""
    existing: Text | None = None
    """Name of a node pool that exists: none is created."""
    compute_class: Text | None = None
    """Name of a ComputeClass: none is created."""
    node_selector: dict[str, str] | None = None
    """Labels of nodes that exist: no node pool is created."""


class Autoscaling(Settings):
    """A HorizontalPodAutoscaler; `replicas` is then left to it."""

    min: Count
    """Least replicas."""
    max: Count
    """Most replicas."""
    metric: Text = "prometheus.googleapis.com|vllm:num_requests_waiting|gauge"
    """Pods metric, as the custom metrics adapter names it."""
    target: Count = 5
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
    key: Text = "token"
    """Key in the Secret."""


class Server(Settings):
    """The model server of a version."""

    model: Text | None = None
    """Model to load, as the server takes it (vLLM --model)."""
    image: Text | None = None
    """Container image, with a tag or digest."""
    engine: Literal["vllm", "openai"] = "vllm"
    """`vllm`: command and flags are rendered. `openai`: any server with an OpenAI API on port 8000; `args` are yours."""
    replicas: Count = 1
    """Pods, where `autoscaling` is not set."""
    autoscaling: Autoscaling | None = None
    """Let a HorizontalPodAutoscaler set the replicas."""
    lora: Lora | None = None
    """LoRA capacity; required where there are adapters."""
    capacity: Amount | None = None
    """What one replica carries, as measured; without it there is no check of capacity."""
    service_account: ObjectName = "default"
    """Kubernetes ServiceAccount of the pods; its identity downloads gs:// adapters."""
    args: Texts = ()
    """Further arguments."""
    env: dict[str, str] = Field(default_factory=dict)
    """Further environment variables."""
    resources: ContainerResources | None = None
    """Container resources; default: all accelerators of a node."""
    token_secret: TokenSecret | None = None
    """Hugging Face token, as HF_TOKEN."""
    load_timeout: LoadTimeout = 1800
    """How long a pod may take to load the model; default: 30m."""
    pod_labels: dict[str, str] = Field(default_factory=dict)
    """Further pod labels."""
    pod_annotations: dict[str, str] = Field(default_factory=dict)
    """Further pod annotations."""
    pod_spec: PodSpec = Field(default_factory=dict)
    """Merged into the pod spec: maps merge, lists of named items merge by name, other lists replace."""


class EndpointPicker(Settings):
    """The endpoint picker of a version's pool."""

    image: Text | None = None
    """Container image; default: the one that fits `inferenceApi`."""
    replicas: Count = 1
    """Pods; more than one elect a leader."""
    failure_mode: Literal["FailOpen", "FailClose"] = "FailOpen"
    """What the gateway does while no picker answers: FailOpen sends to any endpoint, FailClose fails the request."""
    resources: ContainerResources | None = None
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
    backend_policy: Literal["own"] | None = None
    """`own`: its owner attached what the service's `backendPolicy` says; without that word it gets no traffic as a canary."""


class Names(Settings):
    """Physical names, to take over what exists; default: the version's name. Not inherited by `like`."""

    node_pool: Label | None = None
    """GKE node pool."""
    server: DnsLabel | None = None
    """Deployment of the model server."""
    pool: DnsLabel | None = None
    """InferencePool."""
    picker: ServiceName | None = None
    """Deployment, Service and ServiceAccount of the endpoint picker."""


class Version(Settings):
    """One complete way to serve: node pool, model server, InferencePool and endpoint picker."""

    like: Text | None = None
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
    reason: Text
    """Why."""
    by: Text
    """Who decided it."""


class TestTraffic(Settings):
    """Pins test traffic to the canary from `prepare` on."""

    header: Header
    """Request header."""
    value: Text
    """Its exact value."""
    required: bool = False
    """Raise from `prepare` only once `rollout probe` has passed on this canary, as it stands."""


class AdapterRollout(Settings):
    """Moves an adapter from the version that is `serving` to the version `to`."""

    to: str
    """The version to move to."""
    steps: Steps = DEFAULT_STEPS
    """Canary weights in percent, rising, ending in 100."""
    stage: StageValue
    """Where the rollout stands: baseline, prepare, a weight from `steps`, or retire."""
    kind: Literal["node", "base-model", "adapter"] | None = None
    """Assertion: which kind of rollout this is; another is refused."""
    override: Override | None = None
    """Allow one move that the ladder refuses."""
    settle: Duration | None = None
    """Least time for a weight to act everywhere before the next raise; default: none, since pickers act within seconds."""
    bake: Duration = 0
    """Least time at a rung before the next raise; default: none."""
    keep: Duration = 0
    """Least time at 100 before `retire`, which gives up the quick way back; default: none."""
    checks: Annotated[tuple[Check, ...], Field(strict=False)] = ()
    """Metrics that the canary must keep before a raise from a rung where it has traffic."""
    on_failure: Literal["rollback", "hold"] = "rollback"
    """What `rollout run` does when a check fails: fall to `prepare`, or stay at the rung; default: rollback."""

    @property
    def ladder(self) -> tuple[Stage, ...]:
        """All stages in order."""
        return ladder(self.steps)


class Rollout(AdapterRollout):
    """Moves the service from the version that is `serving` to the version `to`."""

    settle: Duration | None = None
    """Least time for a weight to act everywhere before the next raise; default: 60s on GKE (load balancers act late), else 0s."""
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

    serving: str
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
    hostnames: Annotated[tuple[Hostname, ...], Field(strict=False)] = ()
    """Hostnames; default: all of the listener."""
    matches: Matches = ()
    """HTTPRouteMatches as in the Gateway API; default: every path."""
    parent_refs: ParentRefs = ()
    """parentRefs as in the Gateway API; default: `gateway`."""
    rules: Maps = ()
    """Further rules, kept as they are, before the weighted one."""


class Service(Settings):
    """One inference service that clients call."""

    namespace: DnsLabel = "default"
    """Namespace of everything of the service."""
    models: Annotated[tuple[ModelName, ...], Field(strict=False)] = ()
    """Model names that clients send; every version answers to all of them. Default: the service's name."""
    route: Route = Field(default_factory=Route)
    """The HTTPRoute."""
    serving: str
    """The version that serves."""
    versions: dict[LabelKey, Version]
    """The versions, by name. One that neither serves nor is `to` is a template and not built."""
    adapters: dict[ModelName, Adapter] = Field(default_factory=dict)
    """LoRA adapters, by the name that clients ask for."""
    rollout: Rollout | None = None
    """A rollout that is under way."""
    decommission: bool = False
    """Lift the protection, so that the next update may take the service away."""
    longest_request: LongestRequest = 300
    """The longest request: backend time-out, connection draining and server shutdown follow from it. Default: 300s."""
    peak: Amount | None = None
    """The most traffic of the service; default: what stable's replicas carry, where their capacity is given."""
    freeze: Annotated[tuple[FreezeWindow, ...], Field(strict=False)] = ()
    """Times in which no weight is raised; falling is always allowed."""
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
    services: dict[LabelKey, Service]
    """The services, by name."""
    metrics: Metrics | None = None
    """Where metrics are asked; default on GKE: the project's Managed Prometheus."""
    prices: Prices = Field(default_factory=dict)
    """What previews reckon with in place of list prices, by machine type: US dollars per node and hour, or a map of them."""
