"""Corpora: text or token shards in, memory-mapped token files out."""

from bayescmr.probes.corpora.corpus import Corpus, open_corpus
from bayescmr.probes.corpora.prepare import adopt_shards, prepare_corpus
from bayescmr.probes.corpora.split import Split

__all__ = ["Corpus", "Split", "adopt_shards", "open_corpus", "prepare_corpus"]
