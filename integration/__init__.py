"""Whole pools, real programs: native runs are the judge. Commands and public clients only."""
