"""Measurements of networks that are trained for them."""
