"""Version of the library."""

__version__ = '0.5.0'
