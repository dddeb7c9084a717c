"""Native, hpool, peers in one run; ratios; makes the table in README."""
