"""What the matchmaker says to others: protobuf stubs, clients, conversions."""
