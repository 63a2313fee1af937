"""The rehearsal: runs the real program stage after stage without engine, cluster or credentials.

A model of the engine, and it says so: each rule it models stands in `engine_rules` with its source; about others it refuses
to guess.
"""

import os

# Before anything imports gRPC: it logs at INFO that the program's callback server has gone, which is no news to anybody.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
