"""How a role lives as a process: gRPC plumbing, its lock and contact file, the nursery it forks from.

A leaf beside model and api: it knows no role by name.
"""
