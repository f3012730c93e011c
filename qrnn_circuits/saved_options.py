"""Options that a ``state_dict`` tells, so that parameters are loaded where they mean the same."""

from collections.abc import Mapping
from typing import Any

from torch import nn


class SavedOptions(nn.Module):
    """A module of which a ``state_dict`` tells the options without which parameters mean nothing.

    Parameters of other options often have the same shapes: those of another order, basis or
    readout. The options are kept where PyTorch keeps the versions of modules, beside the
    parameters and not among them: a ``state_dict`` holds tensors alone, and ``torch.save`` keeps
    both. A plain copy, ``dict(state_dict)``, tells of no options and is loaded anywhere.

    Example:
        >>> from qrnn_circuits import QRNNLayer
        >>> saved = QRNNLayer(2, 4, order=1).state_dict()
        >>> QRNNLayer(2, 4, order=2).load_state_dict(saved)
        Traceback (most recent call last):
        RuntimeError: Error(s) in loading state_dict for QRNNLayer:
            cells.0 was saved with order=1, but has order=2: make it with the same options, or...
    """

    def sizes(self) -> Mapping[str, int | str]:
        """What tells the module from others of its class."""
        return {}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: ANN401
        super()._save_to_state_dict(destination, prefix, keep_vars)
        # A dictionary of the caller's own may have no place for them.
        versions = getattr(destination, "_metadata", {})
        if prefix[:-1] in versions:
            # What torch.load(..., weights_only=True) takes back.
            options = {n: v for n, v in self.sizes().items() if type(v) in (bool, int, str)}
            versions[prefix[:-1]]["options"] = options

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        own, saved = self.sizes(), local_metadata.get("options", {})
        if differing := [name for name in saved if name in own and saved[name] != own[name]]:
            before, now = (
                ", ".join(f"{name}={values[name]!r}" for name in differing)
                for values in (saved, own)
            )
            error_msgs.append(
                f"{prefix[:-1] or 'it'} was saved with {before}, but has {now}: make it with the "
                "same options, or load dict(state_dict), which tells of none"
            )
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )
