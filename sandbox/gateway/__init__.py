"""The sandbox's gateway: a small controller that behaves like GKE's Inference Gateway and drives a real Envoy.

Two parts. `python -m sandbox.gateway.envoy` runs Envoy, which reads its clusters, routes and endpoints from files.
`python -m sandbox.gateway` watches the cluster, writes those files and the statuses. Either may restart alone: Envoy goes on
with the files that stand, and the controller takes up from them.
"""
