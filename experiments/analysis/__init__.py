"""Analysis: data frames of runs, statistics, claims and plots."""
