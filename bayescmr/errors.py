"""Errors a user can meet: each says what, where, what was got, what was expected, how to fix."""

from __future__ import annotations


class BayesCMRError(Exception):
    """Root of every error raised on purpose by this package."""


class RunTableError(BayesCMRError, ValueError):
    """The run table cannot be used as it is."""


class ModelError(BayesCMRError, ValueError):
    """A model, law or prior is unknown or ill-formed."""


class TargetError(BayesCMRError, ValueError):
    """The question (size, domain, tokens, tolerance, risk) cannot be asked of this posterior."""


class PosteriorFileError(BayesCMRError, ValueError):
    """A saved posterior cannot be read."""


class SamplingError(BayesCMRError, RuntimeError):
    """The sampler could not start or finish."""


class CheckError(BayesCMRError, RuntimeError):
    """A check cannot be run, or cannot go on with the results of an earlier run."""


class CorpusError(BayesCMRError, ValueError):
    """A corpus cannot be read or made."""


class ProbeError(BayesCMRError, RuntimeError):
    """A probe cannot start or go on."""


class ReportError(BayesCMRError, RuntimeError):
    """A report cannot be written."""


class LogError(BayesCMRError, ValueError):
    """A log of a trainer cannot be read."""


class MappingError(BayesCMRError, ValueError):
    """A mapping from logs to a run table is ill-formed, unfinished, or does not fit the logs."""


class DesignError(BayesCMRError, ValueError):
    """Candidates, costs or a rule of design are ill-formed."""


class CampaignError(BayesCMRError, RuntimeError):
    """A campaign, its store or its probes cannot go on as asked."""


class ContradictionError(CampaignError):
    """A loss is not what it was when it was recorded."""


class BudgetError(CampaignError):
    """Probes cost more FLOPs than their campaign has left."""
