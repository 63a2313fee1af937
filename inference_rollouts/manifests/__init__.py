"""Typed arguments to plain dicts: what each component registers, as pure functions without decisions.

Kubernetes objects are in the API's own words; node pools in those of pulumi-gcp. The plan holds the arguments, the
components register what these functions return, and the guard compares their frozen part.
"""
