"""Documentation: the builder of the reference, and the figure of a neuron."""
