"""Sphinx: guides, results and API, by MyST and autosummary."""

import pathlib

import ssnn_jax

project = 'ssnn_jax'
author = 'The ssnn_jax authors'
project_copyright = f'2026, {author}'
version = release = ssnn_jax.__version__
extensions = [
  'myst_nb',
  'sphinx.ext.autodoc',
  'sphinx.ext.autosummary',
  'sphinx.ext.napoleon',
  'sphinx.ext.viewcode',
]

# The source folder is the repository, so that links work on GitHub, too.
FOLDER = pathlib.Path(__file__).parent
root_doc = 'README'
html_extra_path = ['index.html']  # leads to it
include_patterns = [
  '*.md',
  'docs/**',
  'experiments/results/*.md',
  'colab/*.ipynb',
]
exclude_patterns = ['build', '.venv', '.github', 'docs/**/*.py']
exclude_patterns += ['docs/api.rst']

html_theme = 'furo'
html_title = f'{project} {version}'
html_show_sourcelink = False
html_static_path = html_css_files = ['site.css']
html_search_scorer = str(FOLDER / 'search_order.js')

nb_execution_mode = 'off'  # they hold their outputs
myst_heading_anchors = 4  # as on GitHub
smartquotes = False
default_role = 'py:obj'  # names in single backticks
autosummary_generate = ['docs/api.rst']
autodoc_default_options = {
  'members': True,
  'member-order': 'bysource',
  'ignore-module-all': True,
}
autodoc_preserve_defaults = True
napoleon_custom_sections = [('Attributes', 'params_style')]


# The pages of each part of the navigation, in reading order.
NAVIGATION = {
  'Guides': (
    *('docs/README', 'docs/your_model', 'docs/time', 'docs/paper_neuron'),
    *('docs/devices', 'docs/data', 'docs/experiments', 'docs/chip'),
    *('docs/bring_up', 'docs/method', 'docs/related_work'),
  ),
  'Notebooks': ('colab/paper_neuron', 'colab/your_model', 'colab/*'),
  'Results': ('experiments/results/README', 'experiments/results/*'),
  'Reference': ('API <docs/api/ssnn_jax>', 'CHANGELOG', 'CONTRIBUTING'),
}
TREE = '\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {}\n{}\n```\n'


def setup(app):
  """Appends the navigation to the README, where GitHub would show its text."""

  def navigate(_, name, source):
    if name == root_doc:
      for caption, pages in NAVIGATION.items():
        source[0] += TREE.format(caption, '\n'.join(pages))

  app.connect('source-read', navigate)
