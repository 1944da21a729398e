"""Worlds in which rules of design are tried: simulated ones, and tables that were measured."""

from bayescmr.worlds.loop import Rules, opening, play
from bayescmr.worlds.replay import ReplayWorld
from bayescmr.worlds.simulated import SimulatedWorld, posterior_world, prior_world
from bayescmr.worlds.trace import Ending, Round, Trace
from bayescmr.worlds.world import World

__all__ = [
    "Ending", "ReplayWorld", "Round", "Rules", "SimulatedWorld", "Trace", "World", "opening",
    "play", "posterior_world", "prior_world",
]  # fmt: skip
