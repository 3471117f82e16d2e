"""Results of studies: exports runs, and generates tables and figures.

  python -m experiments.results --study=parity --workdir=runs/parity-digits
  python -m experiments.results

The first command exports the runs of a sweep, or the lines of a measurement, to
experiments/results/<study>.csv, in which they replace all rows of their data
set, or of their settings if they are measured. Both generate the table between
two marks of <study>.md and <study>.png again, from the CSV file alone; without
flags, those of all studies. The table of README.md is generated as well, and
that of time and memory in experiments/results/README.md.
"""

from absl import flags

from experiments import command
from experiments.studies import frames
from experiments.studies import pages


def main() -> None:
  """Exports runs, and generates pages."""
  name, workdir = flags.FLAGS.study, flags.FLAGS.workdir
  if workdir:
    pages.export(name, command.folder(workdir))
  names = [name] if name else frames.list_recorded()
  names += [frames.README] * ('unchanged' in names)
  for page in (*names, pages.EFFORTS):
    pages.write_page(page)
    print(frames.path(page, 'md'))


if __name__ == '__main__':
  flags.DEFINE_string('study', None, 'name of the study; default: all studies.')
  flags.DEFINE_string(
    'workdir',
    None,
    'folder of a sweep, or file of the lines of a measurement or of the report '
    'of a board, to export to the CSV file of --study.',
  )
  command.launch(main)
