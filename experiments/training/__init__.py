"""Training: the methods, the compiled programs and the writer of runs."""
