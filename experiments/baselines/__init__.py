"""Baselines: other neurons, update rules and crossbars."""
