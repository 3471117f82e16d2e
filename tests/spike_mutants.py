"""Asks whether tests of `spike` find mistakes: `python -m tests.spike_mutants`.

Each mutant is a copy of the package with one mistake. Tests that are quick run
on it until one fails, in a process of their own; a line says whether the mutant
was found or survived. Arguments choose mutants of which they are a part of the
text, as `python -m tests.spike_mutants play.py min`.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SPIKING = 'ssnn_jax/spiking'
SLOW = 'ResNet or Mixer or ViT or GPT or LSTM or GRU or compared or nnx'
ROOT = pathlib.Path(__file__).parents[1]
# File, text that is there once, and what stands there instead.
MUTANTS = (
  # Codes of values.
  ('codes.py', 'round_to(exact, codes.digits)',
   'round_to(exact, codes.error_digits)'),
  ('codes.py', 'exact = jnp.clip(exact, -_limit(value), _limit(value))',
   'pass'),
  ('codes.py', 'return min(LIMIT, 2.0 ** (', 'return max(LIMIT, 2.0 ** ('),
  ('codes.py', 'jnp.floor(counts * exact + 0.5)',
   'jnp.floor(counts * exact)'),
  ('codes.py', 'jnp.floor(counts * exact + 0.5)',
   'jnp.round(counts * exact)'),
  ('codes.py', 'jnp.where(steps > 0,', 'jnp.where(steps >= 0,'),
  ('transform.py', '(middle == 0) & (beside', '(middle == 0) | (beside'),
  ('transform.py', 'beside > 2.0**-13', 'beside > 0'),
  ('transform.py', "(), None, False, value.where, 'relay'",
   "(), self.codes.num_steps, False, value.where, 'relay'"),
  ('transform.py', "(), None, False, where, 'inputs'",
   "(), self.codes.num_steps, False, where, 'inputs'"),
  # Codes of errors.
  ('codes.py', 'round_to(error, codes.error_digits)',
   'round_to(error, codes.digits)'),
  ('codes.py', 'is_open = jnp.abs(value) < _limit(value)',
   'is_open = jnp.abs(value) <= _limit(value)'),
  ('codes.py', '(error,) = pull(error)', 'pass'),
  ('transform.py', 'return send_back(value, self.codes.output_digits)',
   'return value'),
  ('transform.py', 'return send_back(value, self.codes.output_digits)',
   'return send_back(value, self.codes.error_digits)'),
  ('transform.py', 'if operate and is_one and', 'if False and'),
  # Neurons too few or too many.
  ('transform.py', '        if is_sent:\n', '        if True:\n'),
  ('transform.py', 'self.base(self.send(array, cell), True, where)',
   'self.base(self.send(array, cell), False, where)'),
  ('transform.py', 'Potential(self.ask(value), True)',
   'Potential(self.ask(value), False)'),
  ('transform.py', 'value.heard = Potential(result, False)',
   'value.heard = Potential(result, True)'),
  ('transform.py', 'factors = [Potential(self.ask(own), False)',
   'factors = [Potential(self.ask(own), True)'),
  ('transform.py', 'return [self.base(own, False, where) for own in',
   'return [self.base(own, True, where) for own in'),
  ('transform.py', 'if value.asked is None:', 'if True:'),
  ('transform.py', 'if value.heard is None:', 'if True:'),
  ('transform.py', 'if len(signals) == 1 or all(is_linear):', 'if False:'),
  ('transform.py', "kind = 'square'", "kind = 'neuron'"),
  ('transform.py', 'elif any(is_linear):', 'else:'),
  ('transform.py', "if name in ('max', 'min') and _is_identity(name, values):",
   'if False:'),
  ('transform.py', 'if is_moved and not has_weights and',
   'if False and'),
  # Rules of operations.
  ('transform.py', 'b - jax.nn.relu(b - a)', 'b - jax.nn.relu(a - b)'),
  ('transform.py', 'jax.lax.min(jax.lax.max(low, v), high)',
   'jax.lax.max(jax.lax.max(low, v), high)'),
  ('transform.py', 'b + jax.nn.relu(a - b)', 'a + jax.nn.relu(a - b)'),
  ('transform.py', 'jnp.exp(b * jnp.log(a))', 'jnp.exp(a * jnp.log(a))'),
  ('transform.py', "return is_signal == [True, False]", 'return True'),
  ('transform.py', '0, len(found) - 1)', '0, 0)'),
  ('transform.py', 'if joined == kinds[first:second]:', 'if True:'),
  ('transform.py', "    return 'unsent'\n", "    return 'sent'\n"),
  ('transform.py', "'sent' if own == 'unsent' else own for own",
   'own for own'),
  ('transform.py', 'xs, length, reverse, kinds[', 'xs, length, False, kinds['),
  # Digits and `fire`.
  ('../powers.py', 'bits + jnp.uint32(0x400000)',
   'bits + jnp.uint32(0x3FFFFF)'),
  ('../powers.py', 'for _ in range(digits):', 'for _ in range(digits - 1):'),
  ('../powers.py', 'rest = rest - nearest_power(rest)',
   'rest = rest - nearest_power(values)'),
  ('neuron.py', '(low < drive) & (drive < high)',
   '(low <= drive) & (drive < high)'),
  ('neuron.py', '(low < drive) & (drive < high)',
   '(low < drive) & (drive <= high)'),
  ('neuron.py', 'jnp.clip(drive, low, high) + 0.5',
   'jnp.clip(drive, low, high) + 0.25'),
  ('neuron.py', 'error = powers.leading_digits(error, digits)', 'pass'),
  ('neuron.py', 'jnp.where(is_open, error, jnp.zeros_like(error))', 'error'),
  # Events.
  ('play.py', 'jnp.take_along_axis(own, delay[None], axis=0)[0]', 'own[0]'),
  ('play.py', 'jnp.take_along_axis(own, delay[None], axis=0)[0]', 'own[-1]'),
  ('play.py', 'respond(*heard)',
   'respond(heard[0], [own[0] for own in histories[1]], heard[2])'),
  ('play.py', 'respond(*heard)',
   'respond(*heard[:2], [own[0] for own in histories[2]])'),
  ('play.py', 'respond(*heard)',
   'respond([own[0] for own in histories[0]], *heard[1:])'),
  ('play.py', 'jnp.where(acts, _approach(own[0], target), own[0])',
   '_approach(own[0], target)'),
  ('play.py', 'jnp.where(acts, _approach(own[0], target), own[0])',
   'jnp.where(acts, target, own[0])'),
  ('play.py', 'jnp.all(own == target[None]), histories',
   'jnp.all(own == target[None]), news'),
  ('play.py', 'jnp.all(own == target[None]), histories',
   'jnp.all(own[0] == target), histories'),
  ('play.py', '<= 2.0**-20 * jnp.abs(target)', '<= 2.0**-3 * jnp.abs(target)'),
  ('play.py', 'nearest_power(target - sent)', 'nearest_power(target) - sent'),
  ('play.py', 'jax.tree.map(np.add, total, jax.device_get(spikes))',
   'jax.device_get(spikes)'),
  ('play.py', 'jnp.sum(new[0] != own[0])', 'new[0].size'),
  ('play.py', "codes.output_digits", 'codes.error_digits'),
  ('play.py', 'returns += pull(error)', 'returns += [error]'),
  ('transform.py', 'if reverse else range(length):',
   'if False else range(length):'),
  ('transform.py', 'ys = ys[::-1] if reverse else ys', 'pass'),
  ('play.py', '      subkey, histories, delays\n',
   '      jax.random.key(0), histories, delays\n'),
  ('play.py', 'value = self.sent[len(self.cells)]',
   'value = self.sent[len(self.cells) - 1]'),
  ('play.py', 'own.shape, 0, max_delay + 1)', 'own.shape, 0, max_delay)'),
  ('play.py', 'cell._replace(constants=own[0], steps=own[1])',
   'cell._replace(constants=own[0], steps=None)'),
  # Eligibilities and moments.
  ('transform.py', "own if is_own or kind == 'weight' else",
   'own if True else'),
  ('transform.py', 'Interpreter.base(self, jax.lax.stop_gradient(value),',
   'Interpreter.base(self, value,'),
  ('stream.py', 'carry = self.carries[len(self.found)]', 'pass'),
  ('stream.py', 'potential = potential + self.probes[len(self.sent)]', 'pass'),
  ('stream.py', 'share = jnp.where(keeps[past], kept[rows[past]], 0)',
   'share = 0.0'),
  ('stream.py', 'share * before[past]', 'share * before[slot]'),
  ('stream.py', 'jax.tree.map(jnp.add, now, past)', 'now'),
  ('stream.py', 'conflicts = links.astype(np.float32) @',
   'conflicts = 0 * links.astype(np.float32) @'),
  ('stream.py', '    while new :=', '    if new :='),
  ('stream.py', 'links[after, before],', 'True,'),
  ('stream.py', 'links | (np.concatenate', '(np.concatenate'),
  ('stream.py', 'for bit in (False, True)\n', 'for bit in (False, False)\n'),
  ('stream.py', 'uniform(1, 2, array.shape)', 'uniform(0, 0, array.shape)'),
  ('stream.py', 'if np.any(far > 0.01):', 'if False:'),
  ('stream.py', 'own + [-1] * (size', 'own + [0] * (size'),
  ('stream.py', 'shown.memory._replace(returned=returned)',
   'shown.memory'),
  ('stream.py', 'powers.count_digits(now - before)',
   'powers.count_digits(now)'),
)  # fmt: skip


def find(folder: pathlib.Path, name: str) -> str:
  """Returns the test that fails in a copy of the package, or ''."""
  classes = ['SpikeTest', 'PlayTest']
  classes = classes[::-1] if name == 'play.py' else classes
  tests = [f'tests/spike_test.py::{own}' for own in classes]
  if name == 'transform.py':
    tests.append('tests/stream_test.py')
  if name == 'stream.py':
    tests = ['tests/stream_test.py']
  if name in ('neuron.py', '../powers.py'):
    tests = ['tests/spiking_test.py::NeuronTest', *tests]
  command = [sys.executable, '-m', 'pytest', '-x', '-q']
  if name != 'stream.py':
    command += ['-k', f'not ({SLOW})']
  try:
    ended = subprocess.run(
      [*command, '-p', 'no:cacheprovider', *tests], cwd=folder, timeout=300,
      capture_output=True, text=True, check=False,
      env=os.environ | {'PYTHONDONTWRITEBYTECODE': '1'},
    )  # fmt: skip
  except subprocess.TimeoutExpired:
    return 'no end'
  failed = re.findall(r'^(?:SUB)?(?:FAILED|ERROR).*::(\w+)', ended.stdout, re.M)
  return failed[0] if failed else ended.stdout[-500:] * bool(ended.returncode)


def main(words: list[str]) -> None:
  """Runs tests on the mutants that hold all words."""
  chosen = [own for own in MUTANTS if all(x in str(own) for x in words)]
  survived = 0
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    shutil.copytree(ROOT / 'ssnn_jax', folder / 'ssnn_jax')
    shutil.copytree(ROOT / 'tests', folder / 'tests')
    shutil.copy(ROOT / 'pyproject.toml', folder)
    (ROOT / 'build').mkdir(exist_ok=True)
    (folder / 'build').symlink_to(ROOT / 'build')  # compiled programs
    if own := find(folder, 'neuron.py'):
      sys.exit(f'tests fail without a mistake: {own}')
    for name, text, wrong in chosen:
      path = folder / SPIKING / name
      right = path.read_text()
      if right.count(text) != 1:
        sys.exit(f'{text!r} is {right.count(text)} times in {name}, not once.')
      path.write_text(right.replace(text, wrong))
      found = find(folder, name)
      path.write_text(right)
      survived += not found
      end = f'found     {found}' if found else 'SURVIVED'
      print(f'{end}\n          {name}: {text!r} -> {wrong!r}', flush=True)
  print(f'{len(chosen) - survived} of {len(chosen)} found')
  sys.exit(survived > 0)


if __name__ == '__main__':
  main(sys.argv[1:])
