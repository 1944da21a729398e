"""Probes: continue the pre-training of a real model on a real mixture, get a run table.

Nothing here imports PyMC; torch is imported by the modules that train, and only by them.
"""
