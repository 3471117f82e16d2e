"""Trains one network and records it.

  python -m experiments.run --dataset=digits --num_steps=64

The accuracy on the test split is printed at the end; `--method=bp` trains the
ANN with the same flags.
"""

from collections.abc import Mapping
import dataclasses
import os
import pathlib
import time

from absl import flags
import jax
import jax.numpy as jnp
import tqdm

from experiments import cli
from experiments import configs
from experiments import data
import ssnn_jax
from ssnn_jax import records
from ssnn_jax import training

_EVAL_BATCH_SIZE = 256


def train(
  config: configs.ExperimentConfig,
  dataset: ssnn_jax.datasets.Dataset,
  folders: Mapping[int, str | os.PathLike],
) -> None:
  """Trains and records a configuration, all seeds in one program.

  Args:
    config: what to train; its own seed is not used.
    dataset: what it trains on and is judged on.
    folders: for each seed a new folder for the record of its run.

  Raises:
    UserError: if the configuration does not fit the data, or a folder cannot
      be used.
  """
  network_config = configs.network_config(config, dataset)
  reference = ssnn_jax.ann(network_config)
  is_spiking = config.method == 'ssnn'
  networks = (
    ssnn_jax.ssnn(network_config) if is_spiking else reference,
    reference,
  )
  if is_spiking:
    cli.recommend_kernels()
  for seed, folder in folders.items():
    seeded = dataclasses.replace(config, seed=seed)
    records.create(folder, configs.as_record(seeded))

  train_set, test_set = jax.device_put((dataset.train, data.judged_on(dataset)))
  seeds = jnp.array(list(folders))
  with tqdm.tqdm(
    total=config.num_epochs, disable=None, unit='epoch'
  ) as progress:
    params, accuracy, seconds = _train_epochs(
      config, train_set, test_set, networks, seeds, folders, progress
    )
    progress.set_postfix_str('measuring errors')
    errors = probe_errors(config, network_config, train_set, seeds)
  _append_each(
    folders,
    'final',
    method=config.method,
    dataset=config.dataset,
    num_steps=config.num_steps,
    window=network_config.schedule.window,
    sampler=config.sampler,
    seed=seeds,
    test_accuracy=accuracy.winner,
    test_accuracy_potential=accuracy.potential,
    test_accuracy_rate=accuracy.rate,
    **errors,
    params_sha256=_digests(params, len(folders)),
    num_devices=1,
    train_seconds=seconds,
    seeds_at_once=len(folders),
  )


def _train_epochs(
  config, train_set, test_set, networks, seeds, folders, progress
):
  """Trains all epochs; returns parameters, last accuracy and seconds taken.

  The seconds are those of training alone: neither compiling nor evaluating.
  """
  start, train_epoch = _compile(networks[0], config, len(train_set.labels))
  evaluate = jax.jit(
    jax.vmap(
      training.make_evaluate(*networks, _EVAL_BATCH_SIZE),
      in_axes=(0, 0, None, None),
    )
  )
  state, seconds = start(seeds), 0.0
  keys = jax.vmap(_evaluation_key)(state.key)
  train_epoch = train_epoch.lower(state, *train_set).compile()
  for epoch in range(1, config.num_epochs + 1):
    began = time.perf_counter()
    state, means = jax.block_until_ready(train_epoch(state, *train_set))
    seconds += time.perf_counter() - began
    _append_each(
      folders,
      'epoch',
      epoch=epoch,
      loss=means.loss,
      train_accuracy=means.accuracy,
    )
    is_last = epoch == config.num_epochs
    if is_last or (config.eval_every and epoch % config.eval_every == 0):
      accuracy = evaluate(state.params, keys, *test_set)
      _append_each(folders, 'eval', epoch=epoch, test_accuracy=accuracy.winner)
    progress.update()
  return state.params, accuracy, seconds


def probe_errors(
  config: configs.ExperimentConfig,
  network_config: ssnn_jax.NetworkConfig,
  train_set: ssnn_jax.datasets.Split,
  seeds: jax.Array,
) -> dict[str, jax.Array]:
  """Measures a configuration's update against backpropagation's gradient.

  Both are taken on the first training samples, at the weights that the ANN of
  the same seed has after its first epoch: the same ones for every T, so that
  the errors of different runs differ by their spikes alone.

  Args:
    config: what is measured.
    network_config: its network.
    train_set: where the probe batch and the ANN's first epoch come from.
    seeds: `[S]` seeds.

  Returns:
    `[S]` each: `update_error`, and `quantisation_error` with forward and
    backward on rates.
  """
  if config.method == 'bp':
    return dict.fromkeys(
      ('update_error', 'quantisation_error'), jnp.zeros(len(seeds))
    )
  start, train_epoch = _compile(
    ssnn_jax.ann(network_config), config, len(train_set.labels)
  )
  state, _ = train_epoch(start(seeds), *train_set)
  probe = [part[: config.probe_size] for part in train_set]
  exact = dataclasses.replace(network_config, dropout=0.0)
  quantised = dataclasses.replace(exact, forward='rates', backward='rates')

  @jax.jit
  @jax.vmap
  def measure(params, key):
    key = training.stream_key(key, training.Stream.PROBE)
    return {
      name: ssnn_jax.metrics.update_error(
        ssnn_jax.ssnn(measured),
        ssnn_jax.ann(exact),
        params,
        key,
        *probe,
        num_draws=config.probe_draws,
      )
      for name, measured in (
        ('update_error', exact),
        ('quantisation_error', quantised),
      )
    }

  return measure(state.params, state.key)


def _compile(network, config, num_samples):
  """Makes the jitted functions that start and train several seeds."""
  optimizer = training.make_optimizer(
    configs.learning_rate(config, num_samples), config.weight_decay
  )
  start = jax.vmap(lambda seed: training.init_state(network, optimizer, seed))
  train_epoch = jax.vmap(
    training.make_train_epoch(network, optimizer, config.batch_size),
    in_axes=(0, None, None),
  )
  return jax.jit(start), jax.jit(train_epoch, donate_argnums=0)


def _evaluation_key(key):
  return training.stream_key(key, training.Stream.EVALUATE)


def _digests(params, num_seeds):
  def digest(index):
    return records.params_sha256(jax.tree.map(lambda x: x[index], params))

  return list(map(digest, range(num_seeds)))


def _append_each(folders, event, **fields):
  """Appends a line to each seed's record; values may be one for each seed."""
  for index, folder in enumerate(folders.values()):
    own = {
      name: value[index] if isinstance(value, jax.Array | list) else value
      for name, value in fields.items()
    }
    records.append(folder, event, **own)


def _default_workdir(config):
  stamp = time.strftime('%Y%m%d-%H%M%S')
  return pathlib.Path('runs', f'{configs.slug(config)}-{config.method}-{stamp}')


def main() -> None:
  """Runs what the flags ask for."""
  values = flags.FLAGS.flag_values_dict()
  config = cli.config(values)
  workdir = cli.folder(values['workdir'] or _default_workdir(config))
  dataset = data.load(config, values['data_dir'], values['download'])
  print(data.describe(dataset), end='', flush=True)
  train(config, dataset, {config.seed: workdir})
  final = records.read(workdir).final
  judged_on = 'held-out' if config.hold_out else 'test'
  print(
    f'{config.dataset}, {config.method}: {judged_on} accuracy '
    f'{final["test_accuracy"]:.2%} by winner counts, '
    f'{final["test_accuracy_potential"]:.2%} by final potential, '
    f'{final["test_accuracy_rate"]:.2%} read as an ANN; '
    f'trained in {final["train_seconds"]:.0f} s.\nrecord: {workdir}'
  )


if __name__ == '__main__':
  cli.define_config()
  cli.define_folders('new folder for the record; by default one below runs/.')
  flags.adopt_module_key_flags(cli)  # so that --help lists them
  cli.launch(main)
