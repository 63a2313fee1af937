"""Drives the Pulumi engine through the rungs: run, watch, recover.

`engine` is the narrow door to Pulumi, and `automation` its one implementation; `live` asks the cluster; `run`, `watch` and
`recover` are generators of events that take the engine, the questions and the clock as arguments, so that every path can be
played. Nothing here prints.
"""
