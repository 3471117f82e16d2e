"""Settings of the site for Sphinx, whose sources docs/build.py collects."""

import ssnn_jax

project = 'ssnn_jax'
author = 'The ssnn_jax authors'
project_copyright = f'2026, {author}'
version = release = ssnn_jax.__version__
extensions = [
  'myst_parser',
  'sphinx.ext.autodoc',
  'sphinx.ext.napoleon',
  'sphinx.ext.viewcode',
  'docs.modules',
]

html_theme = 'furo'
html_title = f'{project} {version}'
html_show_sourcelink = False
html_copy_source = False
html_static_path = ['site.css']
html_css_files = ['site.css']

myst_heading_anchors = 4  # as on GitHub
smartquotes = False
default_role = 'py:obj'  # names in single backticks
maximum_signature_line_length = 80
autodoc_member_order = 'bysource'
autodoc_preserve_defaults = True
napoleon_custom_sections = [('Attributes', 'params_style')]
