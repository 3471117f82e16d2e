"""Errors of the folder of a run."""

from ssnn_jax import types


class RunError(types.UserError):
  """Error of the folder of a run; the message names the remedy.

  Attributes:
    arguments: arguments that the remedy changes: `folder`, to use another
      folder, and `resume`, to resume the run. A command can append its flags.
  """

  def __init__(self, message: str, arguments: tuple[str, ...] = ()):
    """Stores the message and the arguments that the remedy changes."""
    super().__init__(message)
    self.arguments = arguments


class RecordError(RunError):
  """Error of the record of a run: a folder or file that cannot be used."""


class CheckpointError(RunError):
  """Error of a checkpoint that is missing or cannot be used."""
