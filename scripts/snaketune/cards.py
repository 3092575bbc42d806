"""GPUs by the names that a cluster calls them: memory, bandwidth, arithmetic, by their makers."""

from typing import NamedTuple


class Card(NamedTuple):
    """One model of GPU."""

    memory_gb: float
    """Of the card, in GB of 1e9 bytes."""
    bandwidth_gb_s: float
    """Of that memory, in GB a second."""
    bf16_tflops: float
    """Dense bf16 matrix arithmetic with float32 sums, in 1e12 operations a second."""


CARDS = {
    "a100": Card(80, 2039, 312),
    "a100-40gb": Card(40, 1555, 312),
    "h100": Card(80, 3350, 989),
    "h200": Card(141, 4800, 989),
    "a10": Card(24, 600, 125),
    "a40": Card(48, 696, 150),
    "a6000": Card(48, 768, 155),
    "l4": Card(24, 300, 121),
    "l40s": Card(48, 864, 362),
    "rtx3090": Card(24, 936, 71),
    "rtx4060ti": Card(16, 288, 44),
    "rtx4090": Card(24, 1008, 165),
}
"""Name → data sheet; an A100 is the one with 80 GB unless its name says otherwise."""


def card_named(name: str) -> str | None:
    """Which of `CARDS` a name means: a cluster's (`a100`) or a driver's (`NVIDIA A100-SXM4-80GB`).

    None for one that is not there.
    """
    words = name.lower().replace("nvidia", "").replace("geforce", "")
    plain = "".join(char for char in words if char.isalnum())
    if plain.startswith("a100") and "40gb" in plain:
        return "a100-40gb"
    known = sorted(CARDS, key=len, reverse=True)
    return next((card for card in known if plain.startswith(card.replace("-", ""))), None)
