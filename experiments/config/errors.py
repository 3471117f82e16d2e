"""Messages of errors, with the flags of the command line."""

# The flags that set the `arguments` of `ssnn_jax.runs.errors.RunError`.
_FLAGS = {'folder': '--workdir', 'resume': '--resume'}


def message(error: Exception) -> str:
  """Returns the message of an error, with the flags that avoid it if any."""
  flags = [_FLAGS[name] for name in getattr(error, 'arguments', ())]
  if not flags:
    return str(error)
  return f'{str(error).removesuffix(".")} ({", ".join(flags)}).'
