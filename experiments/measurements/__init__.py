"""Measurements that need no training of networks."""
