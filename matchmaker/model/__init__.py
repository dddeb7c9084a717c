"""The words all roles share: identifiers, states, attributes, errors, clock, settings.

A leaf: nothing here knows gRPC, sockets or any other part of hpool.
"""
