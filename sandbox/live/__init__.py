"""Rollouts on the sandbox under traffic: every move of a ladder, what it did to the requests, and the verdict."""
