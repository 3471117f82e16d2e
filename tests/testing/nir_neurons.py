"""Integrate-and-fire neurons of NIR graphs in NumPy, for tests."""

import nir
import numpy as np


def make_step(graph, subtracts=True):
  """Returns the function from the inputs of a tick to the outputs.

  Args:
    graph: a graph from `to_graph`.
    subtracts: whether a spike subtracts the threshold from the membrane;
      otherwise it resets the membrane to 0.

  Returns:
    `(inputs) -> outputs`; it keeps the membranes between calls.
  """
  membranes = {name: 0.0 for name in graph.nodes}

  def step(signal):
    for name, node in sorted(graph.nodes.items()):  # in the order of the chain
      if isinstance(node, nir.Affine):
        signal = np.asarray(signal, float) @ node.weight.T + node.bias
      elif isinstance(node, nir.IF):
        charged = membranes[name] + node.r * signal
        signal = (charged >= node.v_threshold).astype(float)
        reset = node.v_threshold if subtracts else charged
        membranes[name] = charged - signal * reset
    return signal

  return step


def present(graph, frames, subtracts=True):
  """Returns the outputs of all ticks, `[T, ...]`."""
  return np.array(list(map(make_step(graph, subtracts), frames)))
