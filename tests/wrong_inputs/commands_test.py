"""Wrong flags of all commands: one sentence, and no file changes."""

import pathlib
import shutil

from absl.testing import parameterized
import numpy as np

from experiments.analysis import frames
from experiments.config import titles
from ssnn_jax.runs import records
from tests.testing import commands
from tests.testing import sweeps
from tests.testing.wrong_inputs import WrongInputsTestCase

PERFECT = dict.fromkeys(titles.READOUTS, 1.0)
PERFECT |= dict.fromkeys(frames.ERRORS, 0.0)
# `...` is any part of a sentence.
RUN = {
  '--num_steps=2147483648': '--num_steps is 2147483648; expected a 32-bit '
  'whole number.',
  '--num_epochs=10000000000': '--num_epochs is 10000000000; expected a 32-bit '
  'whole number.',
  '--num_steps=1000000000': '--num_steps is 1000000000; expected at most '
  '67108863 ticks with batches of 32 samples, as ...',
  '--layer_sizes=64,10000000000,10': '--layer_sizes is [64,10000000000,10]; '
  'expected a list, each item a 32-bit whole number or null.',
  '--layer_sizes=64,1000000,1000000,10': 'the weights of all layers, with '
  'their counts of coincidences, need 7,451.1 GiB of memory, ...; choose fewer '
  'neurons.',
  '--layers=conv100000000000k5,10': '--layers: features is 100000000000; '
  'expected a whole number from 1 to 2147483647.',
  '--layers=conv2000000000k5,10': '--layers is (Conv(features=2000000000, '
  '...); expected layers of at most 2147483647 neurons, not (64, ..., 10).',
  '--layers=,10': "--layers: '' is not a layer; expected a number of neurons, "
  'or a convolution as conv16k5s2: ...',
  '--learning_rate=1e39': '--learning_rate is 1e+39; expected a 32-bit number.',
  '--learning_rate=1e-60': '--learning_rate is 1e-60; expected a positive '
  '32-bit number.',
  '--learning_rate=nan': '--learning_rate is NaN; expected a 32-bit number.',
  '--seed=-1': '--seed is -1; expected a finite number, 0 or more.',
  '--seed=1099511627776': '--seed is 1099511627776; expected a 32-bit whole '
  'number.',
  '--event_window=1e300 --dataset=n_mnist': '--event_window is 1e+300; '
  'expected a 32-bit number.',
  '--num_steps=': '--num_steps=: expected a whole number; see --help.',
  '--tau=long': '--tau=long: expected a number; see --help.',
  '--resume=maybe': '--resume=maybe: expected true or false; see --help.',
  '--noresume=1': '--noresume=1 does not take an argument; see --help.',
  '--gain=1,2,3': '--gain is (1.0, 2.0, 3.0); expected one number, or one for '
  'each of the 1 hidden layers.',
  '--pixel_range=nan,1': '--pixel_range is [NaN,1.0]; expected a list, each '
  'item a 32-bit number.',
  '--batch_size=100000': '--batch_size=100000 is more than the 1437 training '
  'samples of digits; give a smaller number.',
  '--hold_out=0.99999': '--hold_out: A fraction of 0.99999 cannot be held out '
  'of 1437 items; choose ...',
  '--folds=100000': '--folds: 1797 items cannot be split into 100000 folds; '
  'choose a number of folds from 2 to 1797.',
  '--num_devices=0': '--num_devices=0 is out of range; choose a number from 1 '
  'to 1, the number of devices.',
  '--checkpoint_every=nan': '--checkpoint_every is nan; expected 0 or more.',
  '--device=custom --dw_min=1e-60': '--dw_min is 1e-60; expected a finite '
  '32-bit number.',
  '--dataset=MNIST': '--dataset=MNIST does not exist; choose one of digits, '
  '..., path/to/own.npz.',
  '--dataset=mnist --data_dir=new': 'Cannot find {}/new/mnist/train-...; put '
  'the original files of mnist into <data_dir>/mnist/ and ...',
  '--dataset=mnist --data_dir=a_file': 'Cannot find {}/a_file/mnist/train-...',
  '--test_dataset=own.npz': '--test_dataset={}/own.npz has 16 inputs and 3 '
  'classes, but digits has 64 and 10; choose a data set with equal numbers.',
  '--resume --workdir=done --num_epochs=2': 'done holds another run '
  '(num_epochs is 1, not 2); use the recorded values, or choose another ...',
  '--resume --workdir=others': 'others/config.json does not exist; give the '
  'folder of a run (--workdir).',
  '--workdir=done': 'done already holds a finished run; choose another folder '
  '(--workdir).',
  '--workdir=others': 'others already holds files that are not a run; choose '
  'another folder (--workdir).',
  '--workdir=a_file': 'a_file already holds files that are not a run; choose '
  'another folder (--workdir).',
  '--workdir=a_file/x': 'a_file/x cannot be used (Not a directory); free disk '
  'space, change its permissions, or choose another folder (--workdir).',
}
SWEEP = {
  '--grid=': "--grid: '' has no '='; use the form ...",
  '--grid=num_steps=': '--grid: num_steps lacks a value; use the form ...',
  '--grid="num_steps=4;num_steps=8"': '--grid: num_steps is repeated; use the '
  'form ...',
  '--grid=learning_rate=1,1.0': '--grid: learning_rate has the value 1.0 '
  'twice; use the form ...',
  '--grid=learning_rate=1e39': '--grid: --learning_rate is 1e+39; expected a '
  '32-bit number.',
  '--grid="tau=1,2,3,4,5,6,7,8,9;dropout=0,.1,.2,.3,.4,.5,.6;window=1,2,3,4,5,6'
  ',7,8;num_epochs=1,2,3,4,5,6,7,8,9"  --num_seeds=99': 'the sweep has 449,064 '
  'runs, more than 100,000; give fewer values in --grid, or a smaller ...',
  '--num_seeds=99999999999': 'the sweep has 499,999,999,995 runs, more than '
  '100,000; give fewer values in --grid, or a smaller --num_seeds.',
  '--num_seeds=0': '--num_seeds=0: 0 is not a positive integer; see --help.',
  '--num_workers=0': '--num_workers is 0; expected 1 or more.',
  '--study=nope': '--study=nope does not exist; choose one of ...',
  '--study=benchmark': '--study=benchmark has no sweeps; its records are made '
  'by python -m experiments.benchmark ...',
  '--workdir=a_file': 'a_file cannot be used (File exists); free disk space, '
  'change its permissions, or choose another folder (--workdir).',
  '--workdir=swept --grid=num_steps=4 --num_epochs=3': '{}/swept/bp/seed=0 '
  'holds another run (num_epochs is 20, not 3); use the recorded values, ...',
}
PLOT = {
  '--workdir=a_file': '--workdir=a_file is not a folder; give the folder of '
  'experiments.sweep or experiments.run, or --record.',
  '--workdir=others': '--workdir=others holds no finished run; give ...',
  '--workdir=swept --energies=nope.json': 'nope.json cannot be read as a '
  'table of energies (...); pass one of loihi, crossbar, or a file ...',
  '--workdir=swept --study=nope': '--study=nope does not exist; choose one ...',
  '--record=others': 'others is not a record (Is a directory); give a file of '
  'JSON lines that experiments.collect or a measurement wrote.',
  '--workdir=blocked': 'blocked/run.png cannot be used (Is a directory); free '
  'disk space, ...',
}
COLLECT = {
  '': 'give either --workdir or --lines.',
  '--workdir=swept': '--output is missing, and required for a sweep without a '
  'study; give a file.',
  '--workdir=swept --study=winners --record=../x': '--record=../x is a path; '
  'give a name, or a file by --output.',
  '--workdir=swept --output=a_file': 'a_file exists; give --overwrite to '
  'replace the record, --add to add runs to it, or --output.',
  '--workdir=swept --output=a_file/x.jsonl': '--output: a_file/x.jsonl cannot '
  'be used (File exists); free disk space, change its permissions, or ...',
  '--workdir=swept --output=a_file --add': 'a_file is not a record '
  "('utf-8' codec ...); give a file of JSON lines that ...",
  '--lines=bytes.csv --study=benchmark --record=x --output=x.jsonl': '--lines: '
  "bytes.csv is not a record ('utf-8' codec ...); give a file of ...",
  '--lines=empty.csv --study=benchmark --record=x --output=x.jsonl': '--lines: '
  'empty.csv is not a record (No columns to parse from file); give a file ...',
}
OTHERS = {
  'export --workdir=done --file=a_file': 'a_file exists already and is not '
  'overwritten; choose another file.',
  'export --workdir=done --file=nowhere/x.nir': 'nowhere/x.nir cannot be '
  'written (No such file or directory); choose another file, or ...',
  'export --workdir=swept --file=x.nir': 'swept/config.json does not exist; '
  'give the folder of a run (--workdir).',
  'prepare --dataset=a_file': '--dataset=a_file is not a data set; choose ...',
  'prepare --dataset=synthetic_events/digits --num_recordings=99999999999 '
  '--data_dir=new': '--num_recordings=99999999999 is too small for a recording '
  'in each split, or exceeds the 1797 images of digits; leave out ...',
  'prepare --dataset=synthetic_events/digits --seed=-1': '--seed=-1: -1 is not '
  'an integer in the range [0, 2147483647]; see --help.',
  'benchmark --batch_size=99999999999': '--batch_size is 99999999999; expected '
  'sizes, each a whole number from 1 to 2147483647.',
  'benchmark --batch_size=2000000000 --names=infer': 'the arrays of this '
  'command do not fit into memory; give smaller sizes in its flags.',
  'benchmark --num_images=0': '--num_images=0: 0 is not an integer in the '
  'range [1, 2147483647]; see --help.',
  'pages --chek': "Unknown command line flag 'chek'. Did you mean: check; see "
  '--help.',
  'pages check': 'check is not a flag; write --name=value, and see --help.',
  'measurements.pixel_noise --datasets=': '--datasets= is not a list of '
  'digits, ...',
  'measurements.event_statistics --data_dir=new': 'Cannot find the folder '
  '{}/new/NMNIST; put the folders Train and Test of N-MNIST there, ...',
  'measurements.device_response --num_devices=99999999999': '--num_devices='
  '99999999999: 99999999999 is not an integer in the range [2, 10000000]; ...',
}


TABLES = {'run': RUN, 'sweep': SWEEP, 'plot': PLOT, 'collect': COLLECT}
CASES = [
  (f'{command} {flags}', sentence)
  for command, table in TABLES.items()
  for flags, sentence in table.items()
]


class CommandsTest(WrongInputsTestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.made = commands.run(
      'run',
      *'--workdir=done --method=bp --num_epochs=1 --layer_sizes=64,4,10 '
      '--tau=8 --transfer_lines=2 --seed=1 --seed=2'.split(),
    )
    for name in ('others/notes.txt', 'a_file', 'empty.csv', 'bytes.csv'):
      pathlib.Path(name).parent.mkdir(exist_ok=True)
      pathlib.Path(name).write_bytes(b'' if 'empty' in name else b'\xff')
    shutil.copytree('done', 'blocked')
    pathlib.Path('blocked/run.png').mkdir()
    images, labels = np.zeros((9, 4, 4)), np.arange(9) % 3
    arrays = dict.fromkeys(('x_train', 'x_test'), images)
    np.savez('own.npz', **arrays, y_train=labels, y_test=labels)
    for name, final in (('swept', {}), ('perfect', PERFECT)):
      runs = sweeps.make_runs('num_steps=4,8', lambda _: final, workdir=name)  # noqa: B023
      sweeps.write_runs(runs)

  @parameterized.parameters(*CASES, *OTHERS.items())
  def test_is_refused(self, line, sentence):
    if line.startswith('run') and '--workdir' not in line:
      line += ' --workdir=new'
    self.assert_command_refused(line, sentence)

  def test_reports_flags_without_effect_and_takes_the_last(self):
    self.assertEqual((self.made.returncode, self.made.stderr), (0, ''))
    unused = '--tau, --transfer_lines: not used with --method=bp\n'
    self.assertStartsWith(self.made.stdout, unused)
    self.assertEqual(records.read('done').config['seed'], 2)

  @parameterized.parameters(
    ('plot --workdir=perfect', ' 100.00 ± 0.00 '),
    ('plot --workdir=perfect --study=spike_train_length', ' 100.00 ± 0.00 '),
    ('plot --workdir=perfect --study=benchmark', 'generic view, as the study'),
    ('run --workdir=done --resume', 'this run is already finished.'),
  )
  def test_has_a_right_result(self, line, output):
    done = commands.run(*line.split())
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    self.assertIn(output, done.stdout)
