"""Training: data, compiled programs, the training loop and the run writer."""
