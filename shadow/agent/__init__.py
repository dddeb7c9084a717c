"""The agent: one per submitter. Keeps the queue, forks a shadow per job, hands jobs to machines."""
