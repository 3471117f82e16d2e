"""Configurations of runs, with their flags and grids."""
