"""Applies to the sandbox what the real program registers, in its order. A test harness, not a second engine."""
