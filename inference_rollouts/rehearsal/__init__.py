"""The rehearsal: runs the real program stage after stage without engine, cluster or credentials.

A model of the engine, and it says so: each rule it models stands in `engine_rules` with its source; about others it refuses
to guess.
"""
