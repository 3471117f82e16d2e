"""Rivals of the spiking network: their neurons, update rules and crossbars."""
