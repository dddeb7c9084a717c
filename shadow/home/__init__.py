"""A job's home: its files, served under the user's policy."""
