"""Where and how the tensors that a user gives must hold their numbers."""

import torch
from torch import Tensor, nn

from qrnn_circuits.tracing import is_traced, known_numbers


def real_type(dtype: torch.dtype | None) -> torch.dtype:
    """The type of parameters, by default torch's default type.

    Raises:
        ValueError: If it is neither float32 nor float64.
    """
    dtype = torch.get_default_dtype() if dtype is None else dtype
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
    return dtype


def first_parameter(module: nn.Module) -> Tensor:
    """The parameter that tells the type and the device of a module's numbers.

    Raises:
        ValueError: If there is none.
    """
    for parameter in module.parameters():
        return parameter
    raise ValueError(
        f"a {type(module).__name__} must have a parameter, which tells the type and device of its "
        "states, got none: make what is not trained an nn.Parameter with requires_grad=False"
    )


def zero_states(module: nn.Module, batch: int, size: int) -> Tensor:
    """States of a module with every wire in 0.

    Args:
        module: One with a parameter, of which they have the type and device.
        batch: Number of states B.
        size: Of each, where the entry of all zeros comes first.

    Returns:
        Shape ``(B, size)``.

    Raises:
        ValueError: If the module has no parameter.
    """
    # Written without a change in place, which torch.func.linearize loses.
    return nn.functional.pad(first_parameter(module).new_ones(batch, 1), (0, size - 1))


def check_tensor(name: str, given: Tensor, parameter: Tensor | None) -> None:
    """Checks that the numbers of a tensor are known, each by its place, beside the parameters.

    Args:
        name: Of the argument.
        given: What was given.
        parameter: One of the parameters, if there are any.

    Raises:
        TypeError: If it is sparse, nested or laid out in another way.
        ValueError: If it or the parameters have no numbers, or they are on different devices.

    Example:
        >>> check_tensor("input", torch.ones(2).to_sparse(), torch.ones(3))
        Traceback (most recent call last):
        TypeError: input must be a dense tensor of one shape, got the layout torch.sparse_coo...
    """
    if given.layout != torch.strided or given.is_nested:
        strided = given.layout == torch.strided
        found = "a nested tensor" if strided else f"the layout {given.layout}"
        raise TypeError(
            f"{name} must be a dense tensor of one shape, got {found}: take "
            "to_dense(), or of sequences of unequal length torch.nn.utils.rnn.pack_sequence"
        )
    if parameter is not None:
        check_numbers(parameter)
    if given.is_meta:
        raise ValueError(f"{name} must have numbers, but is on the device 'meta', which holds none")
    if parameter is not None and given.device != parameter.device:
        raise ValueError(
            f"{name} must be on the device of the parameters, '{parameter.device}', got "
            f"'{given.device}': take {name}.to('{parameter.device}')"
        )


def check_numbers(parameter: Tensor) -> None:
    """Raises a ``ValueError`` where parameters have no numbers.

    Args:
        parameter: One of them.
    """
    if parameter.is_meta:
        raise ValueError(
            "parameters must have numbers, but are on the device 'meta', which holds none: take "
            "to_empty(device='cpu') and then load_state_dict"
        )


def check_type(name: str, given: object, dtype: torch.dtype, wanted: str) -> None:
    """Checks the type of what is given.

    Args:
        name: Of the argument.
        given: What was given.
        dtype: The type that it must have.
        wanted: What it must be, in words.

    Raises:
        TypeError: If it is no tensor, or of another type.

    Example:
        >>> check_type("inputs", torch.ones(2), torch.int64, "a tensor of type torch.int64")
        Traceback (most recent call last):
        TypeError: inputs must be a tensor of type torch.int64, got torch.float32: take inputs.to...
    """
    if isinstance(given, Tensor) and given.dtype == dtype:
        return
    if isinstance(given, Tensor):
        raise TypeError(
            f"{name} must be {wanted}, got {given.dtype}: take {name}.to({dtype}), if no number "
            "changes by it"
        )
    raise TypeError(
        f"{name} must be {wanted}, got a {type(given).__name__}: of numbers, take "
        f"torch.as_tensor({name}, dtype={dtype})"
    )


def check_finite(name: str, given: Tensor) -> None:
    """Raises a ``ValueError`` where a number is NaN or infinite; nothing is asked while traced."""
    found = known_numbers(given)
    if found is not None and not torch.isfinite(found).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")


def check_normalised(name: str, amplitudes: Tensor) -> None:
    """Checks that rows of amplitudes, in the last dimension, have norm 1; not while traced.

    Raises:
        ValueError: If a number is not finite, or a norm differs from 1 by more than rounding.
    """
    if is_traced() or not amplitudes.numel():
        return
    norms = torch.linalg.vector_norm(amplitudes.detach(), dim=-1)
    off = (norms - 1).abs().max().item()
    if not off <= torch.finfo(amplitudes.dtype).eps ** 0.5:
        check_finite(name, amplitudes)
        way_out = f"divide it by torch.linalg.vector_norm({name}, dim=-1, keepdim=True)"
        if not norms.all():
            way_out = f"zeros are no state, leave {name} out to begin with every wire in 0"
        raise ValueError(
            f"{name} must be normalised amplitudes, but a norm is {off:.3g} off 1: {way_out}"
        )
