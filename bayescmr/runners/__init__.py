"""Where probes are carried out: commands on this machine, on SLURM or on Ray. Knows no model."""
