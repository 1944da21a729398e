"""Design of experiments: which run to make next. Numpy only; knows draws, not models."""
