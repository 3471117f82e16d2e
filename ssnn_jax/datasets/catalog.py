"""Names, classes and sizes of datasets."""

_DIGITS = tuple('0123456789')
_UPPER = tuple('ABCDEFGHIJKLMNOPQRSTUVWXYZ')
_LOWER = tuple('abcdefghijklmnopqrstuvwxyz')
# EMNIST merges the upper and lower case of letters that look alike.
_MERGED = _DIGITS + _UPPER + tuple('abdefghnqrt')
_CLOTHES = (
  'T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, '
  'Ankle boot'
)
_IMAGES = {  # name of each class, and number of samples of both splits
  'digits': (_DIGITS, 1_797),
  'mnist': (_DIGITS, 70_000),
  'fashion_mnist': (tuple(_CLOTHES.split(', ')), 70_000),
  'emnist/balanced': (_MERGED, 131_600),
  'emnist/letters': (_UPPER, 145_600),
  'emnist/digits': (_DIGITS, 280_000),
  'emnist/mnist': (_DIGITS, 70_000),
  'emnist/byclass': (_DIGITS + _UPPER + _LOWER, 814_255),
  'emnist/bymerge': (_MERGED, 814_255),
}


def image_source(name: str) -> str:
  """Returns the image dataset of recordings; other names are unchanged."""
  if name == 'n_mnist':
    return 'mnist'
  return name.removeprefix('synthetic_events/')


def is_recorded(name: str) -> bool:
  """Returns whether a dataset holds recordings of events, and not images."""
  return name in RECORDINGS or name.startswith(TONIC)


def first_label(name: str) -> int:
  """Returns the lowest label in the original files of an image dataset."""
  return 1 if name == 'emnist/letters' else 0


TONIC = 'tonic:'  # starts the names of event sets that tonic reads
IMAGES = tuple(_IMAGES)
RECORDINGS = ('n_mnist',) + tuple(f'synthetic_events/{name}' for name in IMAGES)
NAMES = IMAGES + RECORDINGS
CLASS_NAMES = {name: _IMAGES[image_source(name)][0] for name in NAMES}
# The size of synthetic recordings is the user's choice.
FULL_SIZES = {name: size for name, (_, size) in _IMAGES.items()}
FULL_SIZES['n_mnist'] = 70_000
