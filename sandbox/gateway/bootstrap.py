"""Envoy's own configuration: one listener, its filters, and where the files are that say the rest.

Lean, for a million requests on two cores: no access log, no tracing, no request ids.
"""

from __future__ import annotations

from typing import Any

from sandbox.gateway.files import ADMIN, GatewayFiles

ROUTES = "gateway"
"""Name of the RouteConfiguration, and of the connection manager in Envoy's statistics."""
FAULT_FILTER = "fault"
PICKER_FILTER = "picker"
NO_BACKEND = "no-backend"
"""A cluster without endpoints, for the share of a backend that cannot be resolved."""

HTTP = "type.googleapis.com/envoy.extensions.filters.http"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def file_source(path: str) -> dict[str, Any]:
    """A ConfigSource that follows a file; it reloads when another is renamed over it."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def bootstrap(files: GatewayFiles, port: int) -> dict[str, Any]:
    """The whole bootstrap of Envoy on 127.0.0.1:port."""
    return {
        "node": {"id": "gateway", "cluster": "sandbox"},
        "admin": {"address": {"pipe": {"path": ADMIN, "mode": 0o600}}},
        "dynamic_resources": {"cds_config": file_source(str(files.clusters))},
        "static_resources": {
            "listeners": [_listener(files, port)],
            "clusters": [{"name": NO_BACKEND, "type": "STATIC", "load_assignment": {"cluster_name": NO_BACKEND}}],
        },
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": _statistics()}}},
    }


def _statistics() -> list[dict[str, Any]]:
    """The few that are asked for: those that acknowledge a change, and those that tell what went wrong with requests."""
    prefixes = ("cluster_manager", f"http.{ROUTES}", "listener_manager", "server.")
    return [
        *({"prefix": prefix} for prefix in prefixes),
        {"safe_regex": {"regex": r"cluster\..*(upstream_rq_|membership|health_check).*"}},
    ]


def _listener(files: GatewayFiles, port: int) -> dict[str, Any]:
    manager = {
        "@type": MANAGER,
        "stat_prefix": ROUTES,
        "codec_type": "AUTO",
        "rds": {"route_config_name": ROUTES, "config_source": file_source(str(files.routes))},
        "http_filters": [_filter(FAULT_FILTER, f"{HTTP}.fault.v3.HTTPFault", {}), _picker_filter(), _router()],
        "generate_request_id": False,
        # A model may think for long before the next token; the route's own time-out bounds the whole.
        "stream_idle_timeout": "0s",
        "request_timeout": "0s",
    }
    return {
        "name": "gateway",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _filter(name: str, url: str, config: dict[str, Any], *, disabled: bool = True) -> dict[str, Any]:
    """Filters are off; a backend turns on those that it needs."""
    return {"name": name, "disabled": disabled, "typed_config": {"@type": url, **config}}


def _router() -> dict[str, Any]:
    return _filter("router", f"{HTTP}.router.v3.Router", {"suppress_envoy_headers": True}, disabled=False)


def _picker_filter() -> dict[str, Any]:
    """The conversation with an endpoint picker: everything is sent both ways as it comes.

    RETAIN: a picker asks for the route to be chosen again, which must not change the pool in the middle of a request.
    """
    modes = {
        "request_header_mode": "SEND",
        "response_header_mode": "SEND",
        "request_body_mode": "FULL_DUPLEX_STREAMED",
        "response_body_mode": "FULL_DUPLEX_STREAMED",
        "request_trailer_mode": "SEND",
        "response_trailer_mode": "SEND",
    }
    namespaces = {"untyped": ["envoy.lb"]}
    config = {
        "grpc_service": {"envoy_grpc": {"cluster_name": NO_BACKEND}},
        "processing_mode": modes,
        "route_cache_action": "RETAIN",
        "metadata_options": {"forwarding_namespaces": namespaces, "receiving_namespaces": namespaces},
    }
    return _filter(PICKER_FILTER, f"{HTTP}.ext_proc.v3.ExternalProcessor", config)
