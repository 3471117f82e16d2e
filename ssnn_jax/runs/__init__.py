"""The folder of a run: records, checkpoints and provenance."""
