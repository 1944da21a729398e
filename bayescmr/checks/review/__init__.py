"""Review of a design before any fit: one file per kind of question, one function per finding."""

from bayescmr.checks.review.review import CHECKS, DesignReview, design_review

__all__ = ["CHECKS", "DesignReview", "design_review"]
