"""Quantum reservoirs: frozen recurrent layers whose outputs a linear readout takes in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

from qrnn_circuits.checks import as_integer, check_integer
from qrnn_circuits.layers.base import RecurrentLayer
from qrnn_circuits.layers.real_arrays import real_array
from qrnn_circuits.layers.recurrent_circuit import RecurrentCircuitLayer
from qrnn_circuits.layers.steps import Reading
from qrnn_circuits.tensors import first_parameter

if TYPE_CHECKING:
    import pennylane as qml

Values = NDArray[np.float64]
Series = NDArray[Any] | Tensor | Sequence[NDArray[Any] | Tensor]

_DEFAULT_SIZE, _DEFAULT_DEPTH = 64, 3
_PENALTIES = np.logspace(-10, 2, 13)
# That are simulated at once: each holds its states of all steps.
_MOST_WINDOWS = 256


class QuantumReservoir(nn.Module):
    """A fixed random recurrent cell, driven by real inputs, with a readout by ridge regression.

    The quantum reservoir of Chen et al. (arXiv:2211.02612), of any :class:`RecurrentLayer`. Its
    parameters are frozen: what the layer returns at each step are the features of a linear
    regression, by scikit-learn, which is all that is fitted. The layer has to forget, so that
    features tell of recent inputs and of nothing else. By default it is a plain
    :class:`RecurrentCircuitLayer` of random angles with the populations of 6 wires, whose state is
    reset in part at each step; feed it small inputs, of 0 to about 0.1, to have it remember long.

    A series of T steps is an array or a tensor ``(T, F)``, a batch of them is ``(B, T, F)``, or a
    list of series, whose lengths may differ. As a module, it is the layer, without the readout.

    Attributes:
        layer: The frozen layer.
        readout: The regression, as it was given.
        window: Number of last inputs that features are of, or None.

    Example:
        >>> inputs = np.random.default_rng(0).uniform(0, 0.1, (300, 1))
        >>> targets = np.roll(inputs[:, 0], 3)  # What was fed three steps ago.
        >>> reservoir = QuantumReservoir(generator=torch.Generator().manual_seed(0))
        >>> reservoir = reservoir.fit(inputs[:200], targets[:200], washout=50)
        >>> bool(np.abs(reservoir.predict(inputs[200:]) - targets[200:]).max() < 0.01)
        True
    """

    readout_: Any
    """The regression that has been fitted, or None."""
    _columns = False

    def __init__(
        self,
        layer: RecurrentLayer | None = None,
        *,
        input_size: int | None = None,
        generator: torch.Generator | None = None,
        readout: Any = None,  # noqa: ANN401
        window: int | None = None,
    ) -> None:
        """Freezes a layer.

        Args:
            layer: In one direction; its parameters take no more gradients. By default a plain
                recurrent circuit of ``depth=3`` that returns 64 populations, in float64.
            input_size: Number F of features of a step of that default, by default 1.
            generator: Source of randomness of that default, a CPU generator.
            readout: A regression of scikit-learn, such as ``Ridge(alpha=1e-6)``, or a pipeline
                whose first part makes products of features; by default ``RidgeCV``, which chooses
                a penalty from 1e-10 to 100 by leaving one step out.
            window: Number W of last inputs that the features of a step are of: each step is a run
                of its own, from a fresh state, which a long series on a device needs. By default
                features are of all inputs.

        Raises:
            TypeError: If an argument is of a wrong type.
            ValueError: If the layer has two directions, or a size is out of range.
        """
        super().__init__()
        if layer is None:
            layer = RecurrentCircuitLayer(
                1 if input_size is None else input_size,
                _DEFAULT_SIZE,
                depth=_DEFAULT_DEPTH,
                readout="populations",
                generator=generator,
                dtype=torch.float64,
            )
        elif not isinstance(layer, RecurrentLayer):
            raise TypeError(
                f"layer must be a RecurrentLayer, such as QGRU(1, 4), got a {type(layer).__name__}"
            )
        elif input_size is not None or generator is not None:
            raise ValueError(
                "input_size and generator must not be given with a layer, which has its own"
            )
        if layer.bidirectional:
            raise ValueError(
                "layer must not be bidirectional: features of a step would be of later inputs"
            )
        if window is not None:
            as_integer("window", window, 1)
        if readout is None:
            from sklearn.linear_model import RidgeCV

            readout = RidgeCV(alphas=_PENALTIES)
        elif not (hasattr(readout, "fit") and hasattr(readout, "predict")):
            raise TypeError(
                "readout must be a regression of scikit-learn, with fit and predict, got a "
                f"{type(readout).__name__}"
            )
        self.layer = layer.requires_grad_(False)
        self.readout, self.window = readout, window
        self.readout_ = None
        self.reset()

    def reset(self) -> None:
        """Lets the next series begin anew, rather than go on where the last one ended."""
        self._state: Tensor | None = None
        self._recent: list[Tensor] | None = None

    def _load_from_state_dict(self, *given: Any, **options: Any) -> None:  # noqa: ANN401
        """Forgets what was fitted to the features of other parameters."""
        super()._load_from_state_dict(*given, **options)
        self.readout_ = None
        self.reset()

    def on(self, device: "qml.devices.Device | str", *, shots: int | None = None) -> Self:
        """The same reservoir, with the same readout, run as circuits on a device.

        Its series begin anew: wash out the first predictions. What it fits stays its own.

        Args:
            device: A PennyLane device or the name of one.
            shots: Number of shots of each circuit; none for an exact device.

        Returns:
            A reservoir that shares its frozen layer with this one.

        Raises:
            TypeError: If ``device`` is neither, or ``shots`` is no integer.
            ValueError: If ``shots`` is not positive, or the device has several numbers of shots.
        """
        reservoir = self.__class__(
            self.layer.on(device, shots=shots), readout=self.readout, window=self.window
        )
        reservoir.readout_, reservoir._columns = self.readout_, self._columns
        return reservoir

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """What the frozen layer returns, with gradients to the inputs alone.

        Args:
            input: A sequence, a batch, or packed sequences.
            hx: The states to start from.
        """
        output: tuple[Tensor | PackedSequence, Tensor] = self.layer(input, hx)
        return output

    def fit(self, inputs: Series, targets: Series, *, washout: int = 0) -> Self:
        """Fits the readout to series that begin anew; later ones go on where they end.

        Args:
            inputs: One series, a batch or a list.
            targets: For each step one value, ``(T,)``, or K, ``(T, K)``; for a batch or a list, as
                many of those.
            washout: Number of first steps of each series that are not fitted, since features still
                tell of the state that it began with.

        Returns:
            The reservoir.

        Raises:
            TypeError: If ``washout`` is no integer.
            ValueError: If a shape is wrong, a number is not finite, or no step is left.
        """
        from sklearn.base import clone

        series = self._series(inputs)
        check_integer("washout", washout, 0)
        shortest = min(map(len, series))
        if washout >= shortest:
            raise ValueError(
                f"washout must leave steps to fit, but is {washout}, and a series has {shortest} "
                "steps: take a longer series or a smaller washout"
            )
        wanted = self._targets(targets, inputs, [len(one) for one in series])
        self.reset()
        features = self._features(series)
        fitted = clone(self.readout)
        fitted.fit(
            np.concatenate([rows[washout:] for rows in features]),
            np.concatenate([rows[washout:] for rows in wanted]),
        )
        self.readout_, self._columns = fitted, wanted[0].ndim == 2
        return self

    def predict(self, inputs: Series) -> Values | list[Values]:
        """What the readout tells of each step of series, which go on where the last ones ended.

        Args:
            inputs: As many series as before, or any number after :meth:`reset`.

        Returns:
            Of the shape of the targets that were fitted; for a list, a list.

        Raises:
            sklearn.exceptions.NotFittedError: If :meth:`fit` was not called.
            ValueError: If a shape is wrong, a number is not finite, or states cannot go on.
        """
        if self.readout_ is None:
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("predict must come after fit(inputs, targets): call it first")
        found = [self.readout_.predict(rows) for rows in self._features(self._series(inputs))]
        if self._columns:
            # Some regressions of scikit-learn leave out the dimension of a single column.
            found = [rows.reshape(len(rows), -1) for rows in found]
        return self._as_given(found, inputs)

    def transform(self, inputs: Series) -> Values | list[Values]:
        """The features of each step of series, which go on where the last ones ended.

        Args:
            inputs: As many series as before, or any number after :meth:`reset`.

        Returns:
            Shape ``(T, H)`` or ``(B, T, H)``; for a list, a list.

        Raises:
            ValueError: If a shape is wrong, a number is not finite, or states cannot go on.
        """
        return self._as_given(self._features(self._series(inputs)), inputs)

    def _series(self, inputs: Series) -> list[Tensor]:
        """The series of an input, each of shape ``(T, F)``."""
        arrays = _arrays("inputs", inputs, one=_is_array(inputs, 2))
        if not arrays:
            raise ValueError("inputs must hold at least one series, got none")
        size = self.layer.input_size
        for values in arrays:
            if values.ndim != 2 or values.shape[1] != size or not len(values):
                raise ValueError(
                    f"inputs must be a series of shape (T, {size}) with at least one step, a batch "
                    f"(B, T, {size}), or a list of series, got a series of shape {values.shape}"
                    + (": take inputs[:, None] of one feature" if values.ndim < 2 else "")
                )
        parameter = first_parameter(self.layer)
        return [
            torch.tensor(values, dtype=parameter.dtype, device=parameter.device)
            for values in arrays
        ]

    def _targets(self, targets: Series, inputs: Series, lengths: list[int]) -> list[Values]:
        """The targets of each series, ``(T,)`` or ``(T, K)``."""
        values = _arrays("targets", targets, one=_is_array(inputs, 2))
        shapes = {rows.shape[1:] for rows in values}
        if [len(rows) if rows.ndim else 0 for rows in values] != lengths or not (
            len(shapes) == 1 and len(next(iter(shapes))) <= 1
        ):
            raise ValueError(
                "targets must be of shape (T,) or (T, K) for each series, with as many steps as "
                f"inputs, {lengths}, got shapes {[rows.shape for rows in values]}"
            )
        return values

    def _as_given(self, rows: list[Values], inputs: Series) -> Values | list[Values]:
        """Results of series in the form of the inputs."""
        if _is_array(inputs, 2):
            return rows[0]
        return np.stack(rows) if _is_array(inputs, 3) else rows

    @torch.no_grad()
    def _features(self, series: list[Tensor]) -> list[Values]:
        """Features of each step of series, which go on."""
        known = len(series)
        if self._recent is not None:
            known = len(self._recent)
        elif self._state is not None:
            known = self._state.shape[1]
        if known != len(series):
            raise ValueError(
                f"inputs must be {known} series as before, which go on, got {len(series)}: call "
                "reset() to begin anew"
            )
        rows = self._of_windows(series, self.window) if self.window else self._of_all(series)
        return [row.double().cpu().numpy() for row in rows]

    def _of_all(self, series: list[Tensor]) -> list[Tensor]:
        """Features of all inputs up to each step."""
        if self._state is not None and not self._state.isfinite().all():
            raise ValueError(
                "a series must not go on on a device, which does not tell the state of this layer: "
                "call reset() to begin anew, or take QuantumReservoir(layer, window=20)"
            )
        packed = pack_sequence(series, enforce_sorted=False)
        state = None if self._state is None else self._state.to(packed.data)
        output, self._state = self._run("every")(packed, state)
        return unpack_sequence(output)

    def _of_windows(self, series: list[Tensor], window: int) -> list[Tensor]:
        """Features of the last inputs up to each step."""
        before = [recent.to(series[0]) for recent in self._recent or [one[:0] for one in series]]
        joined = [torch.cat(parts) for parts in zip(before, series, strict=True)]
        windows = [
            whole[max(0, end - window) : end]
            for whole, recent in zip(joined, before, strict=True)
            for end in range(len(recent) + 1, len(whole) + 1)
        ]
        run = self._run("last")
        # A device takes all circuits as one batch.
        some = len(windows) if self.layer.quantum_device is not None else _MOST_WINDOWS
        rows = [
            run(pack_sequence(windows[start : start + some], enforce_sorted=False))[0][:, 0]
            for start in range(0, len(windows), some)
        ]
        self._recent = [whole[max(0, len(whole) - window + 1) :] for whole in joined]
        return list(torch.cat(rows).split([len(one) for one in series]))

    def _run(self, reading: Reading) -> RecurrentLayer:
        """The layer, reading these steps, batches in front and without dropout."""
        layer = self.layer.alias()
        layer.reading, layer.batch_first, layer.training = reading, True, False
        return layer


def _is_array(given: Series, dimensions: int) -> bool:
    """Whether an input is an array of so many dimensions, rather than a list of series."""
    # Those of other libraries too, such as tables of pandas; a nested tensor is a list.
    nested = getattr(given, "is_nested", False)
    return not nested and getattr(given, "ndim", None) == dimensions


def _arrays(name: str, given: Series, *, one: bool) -> list[Values]:
    """The arrays of one series, or of several."""
    if isinstance(given, PackedSequence):
        raise TypeError(
            f"{name} must be an array, a tensor or a list of them, got a PackedSequence: take "
            f"torch.nn.utils.rnn.unpack_sequence({name})"
        )
    single = one or not np.iterable(given) or _is_array(given, 0) or _is_array(given, 1)
    return [real_array(name, item) for item in ([given] if single else given)]
