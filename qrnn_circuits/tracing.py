"""What PyTorch does beside computing: transforms, derivatives of derivatives, mixed precision."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from copy import deepcopy
from functools import wraps
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

_Module = TypeVar("_Module", bound=nn.Module)


def is_traced() -> bool:
    """Whether ``torch.func``, ``torch.compile``, ``torch.export`` or ``torch.jit.trace`` follows.

    Tensors then hold no numbers that Python could ask for, and only PyTorch's own operations know
    their derivatives. So it is with the fake tensors of a ``FakeTensorMode``, and within
    ``make_fx``.

    Example:
        >>> is_traced()
        False
        >>> torch.func.grad(lambda x: x * is_traced())(torch.ones(()))
        tensor(1.)
    """
    # Asked first, since a compiler follows not each of the other questions.
    if torch.compiler.is_compiling():
        return True
    # PyTorch has no public question for transforms of torch.func; its own functions ask this one.
    transformed: bool = torch._C._are_functorch_transforms_active()
    # Nor one for derivatives in forward mode outside of torch.func; dual_level() counts here.
    forward: bool = torch.autograd.forward_ad._current_level >= 0
    # torch.jit.trace records nothing of what Python computes, nor of a function's own backward.
    recorded: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return transformed or forward or recorded or _is_without_numbers()


def _is_without_numbers() -> bool:
    """Whether a mode makes fake tensors, or records operations as ``make_fx`` does."""
    if not torch._C._len_torch_dispatch_stack():
        return False
    modes = torch._C._TorchDispatchModeKey
    return any(torch._C._get_dispatch_mode(mode) is not None for mode in (modes.FAKE, modes.PROXY))


class RestrictedModule(nn.Module):
    """A module that neither scripts nor ``nn.DataParallel`` can take, and which says so."""

    def __prepare_scriptable__(self) -> NoReturn:
        """What ``torch.jit.script`` asks of each module in place of compiling it."""
        raise RuntimeError(
            f"torch.jit.script cannot read a {type(self).__name__}: take torch.compile, "
            "torch.export.export, or torch.jit.trace, which records what is computed"
        )

    def _replicate_for_data_parallel(self) -> NoReturn:
        """What ``nn.DataParallel`` asks of each module where there are several GPUs."""
        raise RuntimeError(
            f"torch.nn.DataParallel cannot copy a {type(self).__name__}, whose copies would have "
            "no parameters: take torch.nn.parallel.DistributedDataParallel, a process for each GPU"
        )


def renew_parameters(module: nn.Module) -> None:
    """Computes anew the parameters that hooks of ``torch.nn.utils`` make of others.

    Those of ``prune``, ``weight_norm`` and ``spectral_norm`` wait for a call of the part that holds
    a parameter, but cells are run without being called.

    Args:
        module: Of which all parts are meant.

    Example:
        >>> part = nn.utils.prune.random_unstructured(nn.Linear(2, 2), "weight", amount=1)
        >>> _ = nn.init.ones_(part.weight_orig)
        >>> renew_parameters(nn.Sequential(part))
        >>> int(part.weight.sum())
        3
    """
    for part in module.modules():
        for hook in part._forward_pre_hooks.values():
            if isinstance(hook, (BasePruningMethod, SpectralNorm, WeightNorm)):
                hook(part, ())


def copied(module: _Module) -> _Module:
    """A copy of a module, also of one whose tensors have a history, which PyTorch does not copy.

    So have those that hooks of ``torch.nn.utils`` or ``torch.func.functional_call`` put in the
    place of parameters. Their copies have none: where hooks make them, :func:`renew_parameters`
    gives them one.

    Args:
        module: The module.

    Example:
        >>> copied(nn.utils.prune.random_unstructured(nn.Linear(2, 2), "weight", 1)).weight.is_leaf
        True
    """
    copies: dict[int, Any] = {
        id(tensor): tensor.detach().clone()
        for part in module.modules()
        for tensor in (*vars(part).values(), *part._parameters.values(), *part._buffers.values())
        if isinstance(tensor, Tensor) and not tensor.is_leaf
    }
    return deepcopy(module, copies)


def is_open(size: object) -> bool:
    """Whether a size is any one, as ``torch.export`` leaves that of a dynamic dimension.

    Nothing may be chosen by it.
    """
    return isinstance(size, torch.SymInt)


_JOINT: ContextVar[bool] = ContextVar("joint", default=False)


@contextmanager
def joint() -> Iterator[None]:
    """While several networks are computed at once, by a ``torch.func.vmap`` over their parameters.

    Functions with a rule for it, and a first derivative only, then serve.
    """
    token = _JOINT.set(True)
    try:
        yield
    finally:
        _JOINT.reset(token)


def is_joint() -> bool:
    """Whether several networks are computed at once, see :func:`joint`."""
    # Asked first, since a compiler follows no context variable.
    return not torch.compiler.is_compiling() and _JOINT.get()


def known_numbers(values: Tensor) -> Tensor | None:
    """The numbers of a tensor that Python can ask for, where several networks are at once of all.

    Args:
        values: Whatever is computed.

    Returns:
        Without a history; None where something follows that leaves tensors without numbers.

    Example:
        >>> known_numbers(torch.ones(2))
        tensor([1., 1.])
        >>> torch.func.grad(lambda x: x * (known_numbers(x) is None))(torch.ones(()))
        tensor(1.)
    """
    if is_traced():
        if not is_joint():
            return None
        # PyTorch has no public way to them.
        while torch._C._functorch.is_functorch_wrapped_tensor(values):
            values = torch._C._functorch.get_unwrapped(values)
    return values.detach()


def is_of_many(gradient: Tensor) -> bool:
    """Whether a backward pass runs for several gradients at once, which have no numbers of its own.

    So ``torch.autograd.grad`` does with ``is_grads_batched=True``, and
    ``torch.autograd.functional.jacobian`` with ``vectorize=True``.

    Args:
        gradient: What comes in.
    """
    # PyTorch has no public question for it.
    batched: bool = torch._C._functorch.is_legacy_batchedtensor(gradient)
    return batched


def first_derivative(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a backward pass that is written out, and has no derivative of its own.

    PyTorch's ``once_differentiable`` only raises where a gradient that comes in has a history; of a
    loss it has none, and the second derivatives would be zeros.

    Args:
        backward: Of a ``torch.autograd.Function``.
    """

    @wraps(backward)
    def checked(ctx: Any, *gradients: Any) -> Any:  # noqa: ANN401
        if any(gradient is not None and is_of_many(gradient) for gradient in gradients):
            raise RuntimeError(
                "the strategies 'transfer' and 'state' of a QRNN take one gradient at a time: for "
                "is_grads_batched=True or jacobian(..., vectorize=True) build the network with "
                "strategy='stepwise', or take torch.func.jacrev"
            )
        # Within a backward pass, only create_graph=True turns this on.
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the strategies 'transfer' and 'state' of a QRNN have first derivatives only: for "
                "create_graph=True, as Hessians and gradient penalties need it, build the network "
                "with strategy='stepwise', or take the derivatives by torch.func, for instance "
                "torch.func.hessian or torch.func.grad"
            )
        with full_precision(torch.device("cpu")), full_precision(torch.device("cuda")):
            return backward(ctx, *gradients)

    return checked


def is_autocast(device: torch.device) -> bool:
    """Whether ``torch.autocast`` narrows types on a device, of which ``"meta"`` knows none.

    Args:
        device: Of the operands.
    """
    return device.type != "meta" and torch.is_autocast_enabled(device.type)


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Computes in the type of the operands within ``torch.autocast``, which takes a narrower one.

    Args:
        device: Of the operands.
    """
    if is_autocast(device):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def widened(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Values as another type where ``torch.autocast`` may have narrowed them, else as they are.

    Args:
        values: What the operations before may have returned.
        dtype: That of the parameters.

    Example:
        >>> narrow = torch.ones(2, dtype=torch.bfloat16)
        >>> widened(narrow, torch.float32).dtype
        torch.bfloat16
        >>> with torch.autocast("cpu"):
        ...     widened(narrow, torch.float32).dtype
        torch.float32
    """
    if values.dtype not in (torch.float16, torch.bfloat16):
        return values
    return values.to(dtype) if is_autocast(values.device) else values
