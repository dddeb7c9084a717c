"""What the submitter's side says to others: .proto files, generated modules, values, methods."""
