"""Version of the library."""

__version__ = '0.6.0'
