"""The execute side: the machine and its owner's wishes."""
