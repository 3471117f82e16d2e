"""Error messages with the flags that resolve the error."""

# The flags that set the `arguments` of `ssnn_jax.runs.errors.RunError`.
_FLAGS = {'folder': '--workdir', 'resume': '--resume'}


def message(error: Exception) -> str:
  """Returns an error message, with the flags that resolve the error if any."""
  flags = [_FLAGS[name] for name in getattr(error, 'arguments', ())]
  if not flags:
    return str(error)
  return f'{str(error).removesuffix(".")} ({", ".join(flags)}).'
