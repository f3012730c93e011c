import copy
import io
from typing import Any

import pytest
import torch

from qrnn_circuits import QRNN, QuantumNeuron

WIRES: dict[str, Any] = {"lane": 1, "workspace": 2}


@pytest.mark.parametrize(
    ("options", "others", "named"),
    [
        ({"order": 1}, {"order": 2}, "cell was saved with order=1, but has order=2"),
        ({"order": 0}, {"order": 0, "basis": "parities"}, "basis='monomials', .* basis='parities'"),
        ({"order": 1}, {"order": 1, "semantics": "unitary"}, "semantics='postselected', but has"),
    ],
)
def test_a_network_takes_no_parameters_that_mean_something_else_to_it(
    options: dict[str, Any], others: dict[str, Any], named: str
) -> None:
    saved = io.BytesIO()
    torch.save(QRNN(**WIRES, **options).state_dict(), saved)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    for given in (state, copy.deepcopy(state)):
        with pytest.raises(RuntimeError, match=named):
            QRNN(**WIRES, **others).load_state_dict(given)
    assert not QRNN(**WIRES, **options).load_state_dict(state).missing_keys


def test_a_plain_copy_tells_of_no_options_and_a_state_of_parameters_alone() -> None:
    neuron, other = QuantumNeuron(3, order=1), QuantumNeuron(3, order=2)
    assert set(neuron.state_dict()) == {"coefficients"}
    with pytest.raises(RuntimeError, match="it was saved with order=1, but has order=2"):
        other.load_state_dict(neuron.state_dict())
    other.load_state_dict(dict(neuron.state_dict()))
    assert torch.equal(other.coefficients, neuron.coefficients)


def test_a_dictionary_of_the_callers_own_takes_the_parameters_alone() -> None:
    neuron = QuantumNeuron(2)
    own: dict[str, torch.Tensor] = {}
    assert neuron.state_dict(destination=own) is own
    assert own.keys() == neuron.state_dict().keys()
