"""What the execute side says to others: protobuf stubs, clients, conversions."""
