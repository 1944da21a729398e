"""Named architectures, from 25 thousand to one billion parameters outside the embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from bayescmr.errors import ProbeError


@dataclass(frozen=True)
class Architecture:
    """Shape of a Llama-style decoder.

    Attributes
    ----------
    vocab_size : int
        Number of token ids.
    width : int
        Width of the residual stream.
    layers : int
        Number of blocks.
    heads, kv_heads : int
        Heads of the queries, and of the keys and values that groups of queries share.
    hidden : int
        Width of the gated feed-forward layer.
    tied : bool
        Whether the output matrix is the embedding.
    rope_theta : float
        Base of the rotary position frequencies.
    norm_eps : float
        Added to the mean square in each RMSNorm.

    Raises
    ------
    ProbeError
        If a number is not positive, or the heads do not divide.
    """

    vocab_size: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int
    tied: bool
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("vocab_size", "width", "layers", "heads", "kv_heads", "hidden"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ProbeError(f"architecture: {name} is {value!r}, expected a positive integer")
        if self.heads % self.kv_heads:
            raise ProbeError(
                f"architecture: heads ({self.heads}) must be a multiple of kv_heads"
                f" ({self.kv_heads})"
            )
        if self.width % (2 * self.heads):
            raise ProbeError(
                f"architecture: width ({self.width}) must be an even number for each of the"
                f" {self.heads} heads: rotary positions turn pairs"
            )

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    @property
    def non_embedding(self) -> int:
        """Parameters without embedding and output matrix: the `size` of a run table."""
        attention = 2 * self.width * (self.width + self.kv_heads * self.head_width)
        feed_forward = 3 * self.width * self.hidden
        return self.layers * (attention + feed_forward + 2 * self.width) + self.width

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.non_embedding + self.vocab_size * self.width * (1 if self.tied else 2)

    def to_dict(self) -> dict[str, int | float | bool]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Architecture:
        """Inverse of `to_dict`.

        Raises
        ------
        ProbeError
            If a value is missing, unknown or impossible.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        missing = sorted(
            {"vocab_size", "width", "layers", "heads", "kv_heads", "hidden", "tied"} - set(values)
        )
        if unknown or missing:
            raise ProbeError(
                f"architecture: missing {', '.join(missing) or 'nothing'}, unknown"
                f" {', '.join(unknown) or 'nothing'}; expected {', '.join(sorted(known))}"
            )
        return cls(**values)  # type: ignore[arg-type]  # checked in __post_init__


# Width, layers, heads, heads of keys and values, hidden width. Hidden is about 8/3 of the width,
# as gated layers have it, and set so that the name is true; heads are 16 wide in the smallest
# models and 64 wide from 3M. Only the two largest share keys and values; the last is the shape
# of TinyLlama-1.1B (Zhang et al. 2024, arXiv 2401.02385).
_SHAPES: dict[str, tuple[int, int, int, int, int]] = {
    "25k": (32, 2, 2, 2, 88),
    "100k": (64, 2, 2, 2, 176),
    "330k": (96, 3, 3, 3, 256),
    "800k": (128, 4, 4, 4, 352),
    "3M": (256, 4, 4, 4, 640),
    "10M": (384, 6, 6, 6, 960),
    "30M": (512, 10, 8, 8, 1280),
    "100M": (768, 14, 12, 12, 2048),
    "300M": (1024, 24, 16, 4, 3200),
    "1B": (2048, 22, 32, 4, 5632),
}
# The largest size whose output matrix is its embedding: above, the matrix is a small share.
_TIED_UP_TO = 110_000_000

#: Names of the sizes, smallest first.
SIZES: tuple[str, ...] = tuple(_SHAPES)


def architecture(size: str, vocab_size: int) -> Architecture:
    """Architecture of a named size.

    Parameters
    ----------
    size : str
        One of `SIZES`: parameters without embedding and output matrix, true within 10 %.
    vocab_size : int
        Number of token ids of the tokenizer.

    Raises
    ------
    ProbeError
        If there is no such size.
    """
    shape = _SHAPES.get(size)
    if shape is None:
        raise ProbeError(f"size: got {size!r}, expected one of {', '.join(SIZES)}")
    width, layers, heads, kv_heads, hidden = shape
    untied = Architecture(vocab_size, width, layers, heads, kv_heads, hidden, tied=False)
    if untied.non_embedding > _TIED_UP_TO:
        return untied
    return Architecture(vocab_size, width, layers, heads, kv_heads, hidden, tied=True)
