"""The only code that enters a stranger's process, and typed readers of its tables."""
