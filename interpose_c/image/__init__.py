"""Images of jobs: their records, read; their content, kept by digest. The format is in ../IMAGE.md."""
