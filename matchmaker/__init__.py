"""The rendezvous: who gets which machine, and the words all roles share."""
