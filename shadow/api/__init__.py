"""What the submitter's side says to others: protobuf stubs, clients, conversions."""
