"""From a configuration to a job: corpora opened, model loaded, all checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bayescmr.errors import ProbeError
from bayescmr.probes.bases import Base, open_base
from bayescmr.probes.config import BaseConfig, Config, CorpusUse, ProbeConfig, digest, to_dict
from bayescmr.probes.corpora import Corpus, open_corpus
from bayescmr.probes.mixture import Mixture, Source, validation_sequences

if TYPE_CHECKING:
    from bayescmr.probes.evaluation import EvalSet
    from bayescmr.probes.interface import LanguageModel
    from bayescmr.probes.trainer import Job

#: Names of validation sets in the run table.
GENERAL, DOMAIN = "general", "domain"
#: Repetitions of a domain corpus above which its returns fall off (Muennighoff et al. 2023,
#: arXiv 2305.16264: up to four epochs are nearly as good as new data).
MAX_REPETITIONS = 4


@dataclass(frozen=True)
class Plan:
    """A checked configuration.

    Parameters
    ----------
    config : BaseConfig or ProbeConfig
        With every part of a corpus filled in.
    sources : tuple of Source
        Corpora to train on.
    base : Base or None
        What CPT starts from.
    """

    config: Config
    sources: tuple[Source, ...]
    base: Base | None

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the result: the configuration, with contents in place of paths."""
        data = to_dict(self.config)
        for role in ("general", "domain"):
            name = "general" if role == "general" else "domain_corpora"
            if name in data:
                data[name] = [
                    {
                        "fingerprint": source.corpus.fingerprint,
                        "weight": source.weight,
                        "part": list(source.part),
                    }
                    for source in self.sources
                    if source.role == role
                ]
        if self.base is not None:
            data["base"] = self.base.fingerprint
        return data

    @property
    def run(self) -> str:
        """Name of the run: the first 12 digits of the SHA-256 of its identity."""
        return digest(self.identity)[:12]

    def mixture(self) -> Mixture:
        """Return the sequences that it trains on."""
        training = self.config.training
        return Mixture(
            self.sources,
            ratio=getattr(self.config, "ratio", 0.0),
            context=training.context,
            sequences=training.sequences,
            seed=self.config.seed,
        )

    def model(self) -> LanguageModel:
        """Return the model that training starts from, on the CPU."""
        from bayescmr.probes.language_model import load_model, new_model
        from bayescmr.probes.sizes import architecture

        if self.base is not None:
            return load_model(self.base.folder)
        assert isinstance(self.config, BaseConfig)
        shape = architecture(self.config.size, self.sources[0].corpus.vocab_size)
        return new_model(shape, self.config.seed)

    def job(self) -> Job:
        """Load the model and everything else that training needs.

        Raises
        ------
        ProbeError
            Model and corpora do not fit together.
        """
        from bayescmr.probes.trainer import Job

        config = self.config
        corpus = self.sources[0].corpus
        model = self.model()
        reference, state = None, {}
        if isinstance(config, ProbeConfig):
            assert self.base is not None
            if config.loss_mode != "ce":
                reference = self.model()
            if config.optimizer_state == "keep":
                state = self.base.moments()
                if state:
                    state |= {f"model.{n}": w.detach() for n, w in model.named_parameters()}
        _check_fit(model.vocab_size, model.context_limit, corpus, config)
        return Job(config, model, reference, state, self.mixture(), self._sets())

    def _sets(self) -> tuple[EvalSet, ...]:
        from bayescmr.probes.evaluation import EvalSet

        sets = []
        for role, one_name in (("general", GENERAL), ("domain", DOMAIN)):
            corpora = [source.corpus for source in self.sources if source.role == role]
            for corpus in corpora:
                tokens = validation_sequences(
                    corpus,
                    self.config.training.context,
                    # A domain is one set; each general corpus is a set of its own.
                    self.config.validation_tokens // (len(corpora) if role == "domain" else 1),
                )
                name = one_name if len(corpora) == 1 or role == "domain" else corpus.name
                sets.append(EvalSet(name, role, tokens))  # type: ignore[arg-type]
        return _joined(sets)


def plan(config: Config) -> Plan:
    """Open what a configuration names and check that it fits together.

    Parameters
    ----------
    config : BaseConfig or ProbeConfig
        Settings.

    Returns
    -------
    Plan
        Nothing heavy is loaded yet.

    Raises
    ------
    ProbeError, CorpusError
        A corpus or the base is missing, or they do not belong together.
    """
    base = open_base(config.base) if isinstance(config, ProbeConfig) else None
    general = _opened(config.general, "general", base)
    config = replace(config, general=tuple(use for use, _ in general))
    sources = [source for _, source in general]
    if isinstance(config, ProbeConfig):
        domain = _opened(config.domain_corpora, "domain", base)
        config = replace(config, domain_corpora=tuple(use for use, _ in domain))
        sources += [source for _, source in domain]
    if len({source.corpus.tokenizer_fingerprint for source in sources}) > 1:
        names = ", ".join(f"{s.corpus.name}: {s.corpus.tokenizer}" for s in sources)
        raise ProbeError(
            f"corpora: got different tokenizers ({names}), expected one; prepare them again with"
            " the same --tokenizer"
        )
    if base is not None and base.facts is not None:
        theirs, ours = base.facts["tokenizer"], sources[0].corpus.tokenizer_fingerprint
        if theirs != ours:
            raise ProbeError(
                f"{base.folder}: the base was trained with another tokenizer than corpus"
                f" {sources[0].corpus.name!r} was prepared with; use the same for both"
            )
    return Plan(config, tuple(sources), base)


def _opened(
    uses: tuple[CorpusUse, ...], role: Literal["general", "domain"], base: Base | None
) -> list[tuple[CorpusUse, Source]]:
    found = []
    for use in uses:
        corpus = open_corpus(use.path)
        part = use.part
        if part is None:
            part = (0.0, 1.0)
            used = None if base is None else base.part_used(corpus.fingerprint)
            if role == "general" and used is not None and used != (0.0, 1.0):
                # Replay is text that the base has not seen: the larger of what is left.
                part = max((0.0, used[0]), (used[1], 1.0), key=lambda p: p[1] - p[0])
        found.append((replace(use, part=part), Source(corpus, role, use.weight, part)))
    return found


def _check_fit(vocab_size: int, context_limit: int | None, corpus: Corpus, config: Config) -> None:
    if vocab_size < corpus.vocab_size:
        raise ProbeError(
            f"corpus {corpus.name!r}: got token ids up to {corpus.vocab_size - 1}, the model knows"
            f" {vocab_size}; prepare the corpus with the model's own tokenizer"
        )
    context = config.training.context
    if context_limit is not None and context > context_limit:
        raise ProbeError(f"context: got {context}, the model takes at most {context_limit} tokens")


def _joined(sets: list[EvalSet]) -> tuple[EvalSet, ...]:
    import numpy as np

    from bayescmr.probes.evaluation import EvalSet

    by_name: dict[str, list[EvalSet]] = {}
    names = [one.name for one in sets if one.role == "general"]
    for name in names:
        if name == DOMAIN or names.count(name) > 1:
            raise ProbeError(
                f"general: got a corpus named {name!r} among {len(names)}, expected names that"
                f" differ from each other and from {DOMAIN!r}, since each is a set of its own;"
                " prepare it again with another --name"
            )
    for one in sets:
        by_name.setdefault(one.name, []).append(one)
    return tuple(
        EvalSet(name, group[0].role, np.concatenate([one.tokens for one in group]))
        for name, group in by_name.items()
    )
