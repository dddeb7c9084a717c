"""What the execute side says, as values."""
