"""The commands that have made the committed records."""

_SWEEP = 'python -m experiments.sweep'
_BENCHMARK = 'python -m experiments.benchmark'
_LEARN = f'{_BENCHMARK} --names=learn --representations=packed'
_PRICED = (
  f'{_LEARN} --layer_sizes=784,256,10 --layer_sizes=784,256,256,10 '
  '--num_steps=4,8,16,32,64,128,256,512,1024'
)
_LONG = (
  '--dataset=fashion_mnist --num_epochs=20 --dropout=0.1 '
  '--weight_decay=0.0001 --eval_every=5'
)
_SHALLOW = 'layer_sizes=784-256-10,784-204-204-10,784-177-177-177-10'
_DEEPEST = '784-159-159-159-159-10'
_ERRORS = "--grid='output_errors=winner,softmax,argmax;num_steps=4,16,64'"
_BOUNDED = 'method=ssnn;device=custom;w_max=1.0;w_min=-1.0'
_PULSE_SCHEMES = 'pulse_scheme=scaled,single;num_steps=4,16,64,256'
_PRESETS = 'gokmen_vlasov,reram,ecram,ecram_mo'


def _online(batch_sizes, samples_per_unit):
  """Varies the batch with the learning rate of a sample kept."""
  return ' '.join(
    f"--grid='batch_size={size};learning_rate={size / samples_per_unit:g};"
    "num_steps=16,64'"
    for size in batch_sizes
  )


# Of each folder of `records`. A command that prints lines is for one file, all
# others write to a `--workdir`.
COMMANDS: dict[str, tuple[str, ...]] = {
  'tune_ann-fashion_mnist': (
    f"{_SWEEP} --grid='method=bp;dropout=0.0,0.1,0.2,0.3;"
    "weight_decay=0.0,0.0001,0.001;learning_rate=0.2,0.5,1.0' --hold_out=0.2 "
    '--num_epochs=20 --num_seeds=3 --dataset=fashion_mnist',
  ),
  'headline-fashion_mnist': (
    f"{_SWEEP} --grid='num_steps=4,16,64;sampler=bernoulli,sobol' "
    f'--num_seeds=20 {_LONG}',
  ),
  'tune_wide-fashion_mnist': (
    f"{_SWEEP} --grid='method=bp;learning_rate=0.2,0.5,1.0' --hold_out=0.2 "
    f'--num_seeds=3 --layer_sizes=784,800,10 {_LONG}',
  ),
  'wide-fashion_mnist': (
    f"{_SWEEP} --grid='num_steps=64;sampler=bernoulli,sobol' "
    f'--num_seeds=5 --layer_sizes=784,800,10 {_LONG}',
  ),
  'spike_train_length-digits': (f'{_SWEEP} --dataset=digits',),
  'spike_train_length-fashion_mnist': (f'{_SWEEP} --dataset=fashion_mnist',),
  'spike_train_length-n_mnist': (f'{_SWEEP} --dataset=n_mnist',),
  'spike_train_length-synthetic_events-digits': (
    f'{_SWEEP} --dataset=synthetic_events/digits',
  ),
  'winners-digits': (f'{_SWEEP} {_ERRORS} --dataset=digits',),
  'winners-fashion_mnist': (f'{_SWEEP} {_ERRORS} --dataset=fashion_mnist',),
  'tune_depth-fashion_mnist': (
    f"{_SWEEP} --grid='method=bp;{_SHALLOW},{_DEEPEST};"
    "learning_rate=0.2,0.5,1.0' "
    '--hold_out=0.2 --num_seeds=3 --dataset=fashion_mnist',
  ),
  'depth-fashion_mnist': (
    f"{_SWEEP} --grid='{_SHALLOW};num_steps=16,64;sampler=bernoulli,sobol' "
    f"--grid='layer_sizes={_DEEPEST};learning_rate=0.2;num_steps=16,64;"
    "sampler=bernoulli,sobol' --dataset=fashion_mnist --num_seeds=3",
  ),
  'online-digits': (
    f'{_SWEEP} {_online((1, 4, 16, 32, 64), 32)} --dataset=digits',
  ),
  'online-fashion_mnist': (
    f'{_SWEEP} {_online((1, 8, 128), 256)} --dataset=fashion_mnist '
    '--num_seeds=3',
  ),
  'pulse_schemes-digits': (
    f"{_SWEEP} --grid='{_BOUNDED};dw_min=0.0005;{_PULSE_SCHEMES}' "
    '--dataset=digits',
  ),
  'pulse_schemes-fashion_mnist': (
    f"{_SWEEP} --grid='{_BOUNDED};dw_min=0.0001;{_PULSE_SCHEMES}' "
    '--dataset=fashion_mnist --num_seeds=3',
  ),
  'variants-fashion_mnist': (
    f'{_SWEEP} --sweep=variants --dataset=fashion_mnist',
  ),
  'attribution-fashion_mnist': (
    f'{_SWEEP} --sweep=attribution --dataset=fashion_mnist',
  ),
  'membranes-digits': (f'{_SWEEP} --sweep=membranes --dataset=digits',),
  'windows-fashion_mnist': (
    f"{_SWEEP} --grid='integration=mean,leaky,memoryless;window=8,32,64' "
    '--dataset=fashion_mnist',
  ),
  'grey_tuning-digits': (
    f"{_SWEEP} --grid='method=bp;"
    "learning_rate=0.02,0.05,0.1,0.2,0.5,1.0,2.0' --hold_out=0.2 "
    '--pixel_range=0.3,0.7 --dataset=digits',
  ),
  'grey_pixels-digits': (
    f'{_SWEEP} --sweep=grey_pixels --dataset=digits --learning_rate=0.5',
  ),
  'fidelity-fashion_mnist': (
    'python -m experiments.measurements.fidelity --dataset=fashion_mnist',
    f'{_PRICED} --sampler=sobol',
    f'{_PRICED} --sampler=bernoulli',
  ),
  'benchmark-cpu': (
    f'{_BENCHMARK} --num_steps=4,16,64,256,1024 --representations=packed,dense',
    f'{_BENCHMARK} --num_steps=4,16,64,256 --representations=naive --rounds=5',
    f'{_BENCHMARK} --num_steps=64,256 --batch_size=1,8 '
    '--representations=packed',
    f'{_BENCHMARK} --layer_sizes=784,800,10 --layer_sizes=784,512,512,10 '
    '--num_steps=64,256 --representations=packed',
    f'{_BENCHMARK} --names=epoch --num_steps=64,256 --representations=packed',
  ),
  'benchmark-devices': (
    f'{_LEARN} --num_steps=32 --batch_size=1,128 --devices={_PRESETS}',
  ),
  'benchmark-methods': (
    f'{_BENCHMARK} --names=epoch --num_steps=16,64 --representations=packed '
    '--methods=surrogate_gradient,bp_stdp,rpu,feedback_alignment --rounds=5',
  ),
  'event_time-n_mnist': (f'{_SWEEP} --sweep=event_time --dataset=n_mnist',),
  'event_time-synthetic_events-digits': (
    f'{_SWEEP} --sweep=event_time --dataset=synthetic_events/digits',
  ),
  'transfer-synthetic_events-digits': (
    f'{_SWEEP} --dataset=synthetic_events/digits --test_dataset=n_mnist',
  ),
  'event_statistics': ('python -m experiments.measurements.event_statistics',),
  'device_response': (
    'python -m experiments.measurements.device_response',
    'python -m experiments.measurements.aihwkit_response',
  ),
  'device_tolerance-digits': (
    f'{_SWEEP} --sweep=device_tolerance --dataset=digits --num_steps=32',
  ),
  'device_tolerance-fashion_mnist': (
    f'{_SWEEP} --sweep=device_tolerance --dataset=fashion_mnist '
    '--num_steps=32 --num_seeds=3',
  ),
  'tiki_taka-digits': (
    f'{_SWEEP} --sweep=tiki_taka --dataset=digits --num_steps=32',
  ),
  'tiki_taka-fashion_mnist': (
    f'{_SWEEP} --sweep=tiki_taka --dataset=fashion_mnist --num_steps=32 '
    '--num_seeds=3',
  ),
  'energy-digits': (f'{_SWEEP} --sweep=energy --dataset=digits',),
  'energy-fashion_mnist': (
    f'{_SWEEP} --sweep=energy --dataset=fashion_mnist --num_seeds=3',
  ),
  'nir_consumers': (
    'python -m experiments.export --workdir=runs/digits --file=digits.nir',
    'python -m experiments.measurements.nir_consumer --file=digits.nir --dataset=digits '
    '--num_steps=64 --consumer=sinabs --inputs=current',
  ),
  'tune-digits': (f'{_SWEEP} --sweep=tune --dataset=digits --num_steps=32',),
  'tune-fashion_mnist': (
    f'{_SWEEP} --sweep=tune --dataset=fashion_mnist --num_steps=16 '
    '--num_seeds=3',
  ),
  'methods-digits': (f'{_SWEEP} --sweep=methods --dataset=digits',),
  'methods-fashion_mnist': (
    f'{_SWEEP} --sweep=methods --dataset=fashion_mnist',
  ),
  'random_words': (
    'python -m experiments.measurements.random_words --seed=0 | dieharder -g 200 -d 100 -c '
    ', -D test_name -D ntuple -D tsamples -D psamples -D pvalues -D assessment',
  ),
}


def table() -> str:
  """Lays out records and their commands for a page, a line each."""
  lines = ['| record | made by |', '|---|---|']
  for record, commands in COMMANDS.items():
    # A bar would end the cell.
    cells = (f'`{command}`'.replace('|', r'\|') for command in commands)
    lines.append(f'| [{record}](records/{record}) | {"<br>".join(cells)} |')
  return '\n'.join(lines)
