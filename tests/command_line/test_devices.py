import re

import pytest

from qrnn_circuits.command_line.devices import device_title, make_device


def test_a_device_gets_the_options_that_are_given() -> None:
    device = make_device("qrnn.torch", 3, seed=None, dtype="float32")
    assert device.name == "qrnn.torch"
    assert device.wires is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("qrnn.aerr", {}, "there is no device 'qrnn.aerr'; close names are qrnn.aer, "),
        ("zzz", {}, "there is no device 'zzz'. Installed are default.clifford, "),
        ("default.qubit", {"noise": "a"}, "no --noise, got 'a': it is for --device qrnn.aer"),
        ("qrnn.torch", {"max_usage": 2.0}, "no --max-usage, got 2.0: it is for --device qrnn.ibm"),
        ("qrnn.torch", {"mitigation": "m3"}, "for --device qrnn.aer or --device qrnn.ibm"),
        ("qrnn.ibm", {"noise": "fake_fez"}, "'qrnn.ibm' takes no name for noise, got 'fake_fez'"),
        ("qrnn.aer", {"noise": "fake_fex"}, "close names are fake_fez"),
    ],
)
def test_a_wrong_name_or_option_is_refused(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make_device(name, 3, **options)


def test_a_title_tells_devices_apart() -> None:
    assert device_title("qrnn.aer", backend=None, noise=None) == "qrnn.aer"
    assert device_title("qrnn.aer", backend=None, noise="fake_fez") == "qrnn.aer (noise fake_fez)"
