"""One job on this machine: its mirror, its link home, its processes."""
