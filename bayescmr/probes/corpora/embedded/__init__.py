"""The embedded set: general English and three domains, made from installed packages.

No text is shipped: packages that hold some are installed by the extra ``corpora``, and their
texts are read from where they lie.
"""

from bayescmr.probes.corpora.embedded.code import CODE
from bayescmr.probes.corpora.embedded.general import GENERAL
from bayescmr.probes.corpora.embedded.legal import LEGAL
from bayescmr.probes.corpora.embedded.make import Made, embedded_texts, make_embedded
from bayescmr.probes.corpora.embedded.medical import MEDICAL

RECIPES = {recipe.name: recipe for recipe in (GENERAL, LEGAL, MEDICAL, CODE)}

__all__ = ["RECIPES", "Made", "embedded_texts", "make_embedded"]
