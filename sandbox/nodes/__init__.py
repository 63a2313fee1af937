"""Nodes and pods of the sandbox: node pools as KWOK nodes, and a kubelet's part played with real processes."""
