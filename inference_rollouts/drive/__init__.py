"""Drives the Pulumi engine through the rungs: run, watch, recover."""
