"""Studies: questions and sweeps, comparisons, pages, and repetition."""
