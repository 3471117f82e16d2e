"""Commands of experiments: the modules here, `measurements` and `chip`.

`runs` trains and records what commands describe, and `studies` compares runs,
whose numbers are in `results`.
"""
