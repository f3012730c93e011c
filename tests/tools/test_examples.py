import doctest
from importlib import import_module

import pytest

MODULES = (
    "notebooks",
    "release",
    "site.check",
    "site.command_reference",
    "site.notebooks",
    "site.public_names",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_tool_run(name: str) -> None:
    result = doctest.testmod(
        import_module(f"tools.{name}"), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )

    assert result.attempted > 0
    assert result.failed == 0
