"""The rules of the neuron over windows, layers and a batch."""
