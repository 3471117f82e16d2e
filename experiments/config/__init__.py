"""What a run is: its configuration, and the flags and grids that make it."""
