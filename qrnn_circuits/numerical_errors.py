"""What is raised where the numbers of a type cannot hold a result: no wrong one is returned."""


class ParameterRangeError(ValueError):
    """A parameter is not finite, or so large that its type no longer holds angles of that size.

    Example:
        >>> import torch
        >>> from qrnn_circuits import QuantumNeuron
        >>> neuron = QuantumNeuron(1, degree=1)
        >>> with torch.no_grad():
        ...     _ = neuron.coefficients.fill_(1e6)
        >>> neuron.angles()
        Traceback (most recent call last):
        qrnn_circuits.numerical_errors.ParameterRangeError: coefficients must be finite and at...
    """


class PrecisionError(ArithmeticError):
    """Amplitudes or gradients leave the range of the type that they are computed in.

    Sharpened neurons of high orders make some outcomes so unlikely that the numbers which lead to
    them underflow.

    Example:
        >>> raise PrecisionError("the gradient is not finite in torch.float32")
        Traceback (most recent call last):
        qrnn_circuits.numerical_errors.PrecisionError: the gradient is not finite in torch.float32
    """
