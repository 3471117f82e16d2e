"""Fields of a configuration that do not affect its run."""

from collections.abc import Iterable

from experiments.config import experiment
from experiments.config import methods
from ssnn_jax.datasets import catalog

_LEAKY = (
  'without --integration=leaky',
  lambda config: (
    config.integration == 'leaky' or config.method == 'surrogate_gradient'
  ),
)
_REAL_TIME = (
  'without --timing=realtime',
  lambda config: config.timing == 'realtime' or config.method == methods.CHIP,
)
_FREE_WINDOWS = (
  'with --window or --timing=realtime',
  lambda config: config.window is None and config.timing == 'buffered',
)
_SHIFTS = (
  'with --membrane=mean',
  lambda config: config.membrane == 'shift',
)
_RACE = (
  'without --winner=race',
  lambda config: config.winner == 'race',
)
_IDEAL = (
  'without --winner=race and --inhibition=ideal',
  lambda config: (config.winner, config.inhibition) == ('race', 'ideal'),
)
_ADAPTIVE = (
  'without --winner=race and --inhibition=adaptive',
  lambda config: (config.winner, config.inhibition) == ('race', 'adaptive'),
)
_COMPARED = (
  'without --diagnostics or --probe_every',
  lambda config: config.diagnostics or config.probe_every,
)
# When each field is not used, and whether a configuration uses it.
_CONDITIONS = {
  'settle': _REAL_TIME,
  'max_window': _FREE_WINDOWS,
  'max_shift': _SHIFTS,
  'tau': _LEAKY,
  'inhibition': _RACE,
  'inhibition_latency': _RACE,
  'race_rate': _IDEAL,
  'inhibition_step': _ADAPTIVE,
  'inhibition_start': _ADAPTIVE,
  'probe_size': _COMPARED,
  'probe_draws': _COMPARED,
}


def describe(
  config: experiment.ExperimentConfig, given: Iterable[str]
) -> list[str]:
  """Describes the given flags that do not affect a run.

  Args:
    config: the configuration of the run.
    given: names of fields whose flags are given.

  Returns:
    A sentence for each reason, in order of the names.
  """
  reasons = {}
  for name in sorted(given):
    reason, is_used = _CONDITIONS.get(name, ('', lambda config: True))
    if name == 'num_steps' and catalog.is_recorded(config.dataset):
      continue  # the rates of a recording depend on T
    if not methods.concerns(config.method, name):
      reason = f'with --method={config.method}'
    elif is_used(config):
      continue
    reasons.setdefault(reason, []).append(f'--{name}')
  return [
    f'{", ".join(names)}: not used {reason}'
    for reason, names in reasons.items()
  ]
