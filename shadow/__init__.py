"""The submitter's side: the queue, each job's home, the user's commands."""
