"""Names, classes and sizes of the built-in datasets."""

_DIGITS = tuple('0123456789')
_UPPER = tuple('ABCDEFGHIJKLMNOPQRSTUVWXYZ')
_LOWER = tuple('abcdefghijklmnopqrstuvwxyz')
# EMNIST merges the upper and lower case of letters that look alike.
_MERGED = _DIGITS + _UPPER + tuple('abdefghnqrt')
_CLOTHES = (
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
)

_IMAGE_CLASSES = {
  'digits': _DIGITS,
  'mnist': _DIGITS,
  'fashion_mnist': _CLOTHES,
  'emnist/balanced': _MERGED,
  'emnist/letters': _UPPER,
  'emnist/digits': _DIGITS,
  'emnist/mnist': _DIGITS,
  'emnist/byclass': _DIGITS + _UPPER + _LOWER,
  'emnist/bymerge': _MERGED,
}
# Samples of both splits; the size of synthetic recordings is the user's choice.
FULL_SIZES = {
  'digits': 1_797,
  'mnist': 70_000,
  'fashion_mnist': 70_000,
  'emnist/balanced': 131_600,
  'emnist/letters': 145_600,
  'emnist/digits': 280_000,
  'emnist/mnist': 70_000,
  'emnist/byclass': 814_255,
  'emnist/bymerge': 814_255,
  'n_mnist': 70_000,
}


def image_source(name: str) -> str:
  """Returns the image dataset of recordings; other names are unchanged."""
  if name == 'n_mnist':
    return 'mnist'
  return name.removeprefix('synthetic_events/')


def first_label(name: str) -> int:
  """Returns the lowest label in the original files of an image dataset."""
  return 1 if name == 'emnist/letters' else 0


IMAGES = tuple(_IMAGE_CLASSES)
RECORDINGS = ('n_mnist',) + tuple(f'synthetic_events/{name}' for name in IMAGES)
NAMES = IMAGES + RECORDINGS
CLASS_NAMES = {name: _IMAGE_CLASSES[image_source(name)] for name in NAMES}
