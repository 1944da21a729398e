"""From a posterior to the next probe: what could be run, what it costs, what it would tell."""
