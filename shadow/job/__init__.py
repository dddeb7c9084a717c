"""The shadow: one process per job. It is the job's home while the job is away."""
