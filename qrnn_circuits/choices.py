"""Words of options, known without importing what carries them out."""

from typing import Literal

Semantics = Literal["postselected", "unitary"]
"""What a neuron applies: the block of its postselected circuit, or a rotation."""

Basis = Literal["monomials", "parities"]
"""The functions of bits whose coefficients a cell's parameters are."""

Strategy = Literal["auto", "transfer", "state", "stepwise"]
"""How a network is simulated."""

Loss = Literal["nll", "paper"]
"""What training minimises."""

Reading = Literal["every", "scored"]
"""Which steps of a sequence are read: every one, or only those that are scored."""

Labels = Literal["digit", "even-odd"]
"""What the label of a digit says."""

Reduction = Literal["umap", "pca"]
"""By what digits become coordinates."""

Target = Literal["next", "label"]
"""What is to be predicted: each next symbol, or a label once a sequence has been read."""

ScaledBy = Literal["training", "all", "none"]
"""By which points columns are scaled to [0, 1]."""

CELL_NAMES = ("qrnn",)
"""Cells of the package, for symbols."""

LAYER_NAMES = (
    "qrnn",
    "qlstm",
    "qgru",
    "recurrent-circuit",
    "fast-weights",
    "rnn",
    "gru",
    "lstm",
)
"""Layers of the package, for forecasts."""

SERIES_NAMES = (
    "henon",
    "lorenz",
    "mackey-glass",
    "narma5",
    "narma10",
    "damped-oscillation",
    "bessel",
    "sines",
)
"""Generated series of the package."""

PRETRAINED = "pretrained:"
"""Before the name of a network that comes with the package, in place of a folder."""
