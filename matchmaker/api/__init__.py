"""What is said to the matchmaker: .proto, generated modules, values, methods."""
