"""Real continued pre-training runs in torch: from corpora to a run table."""
