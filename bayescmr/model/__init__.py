"""The model: specification, hierarchy, noise, graph, engine."""
