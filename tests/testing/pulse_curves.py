"""Files of pulse responses, for tests of fits."""


def write_csv(path, curves, direction=True):
  """Writes curves to a CSV file."""
  header = ['device', 'pulse', 'conductance']
  rows = [header + ['direction'] * direction]
  for device in sorted({curve.device for curve in curves}):
    for curve in (curve for curve in curves if curve.device == device):
      word = ['up' if curve.is_up else 'down'] * direction
      for pulse, value in zip(curve.pulses, curve.conductances):
        rows.append([device, pulse, repr(float(value)), *word])
  text = '\n'.join(','.join(map(str, row)) for row in rows)
  path.write_text(text + '\n')
