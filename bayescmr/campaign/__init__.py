"""Campaigns: probes chosen, carried out and recorded until a decision is certain enough."""
