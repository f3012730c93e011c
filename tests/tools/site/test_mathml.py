import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
latex2mathml = pytest.importorskip("docutils.utils.math.latex2mathml")


def formulas() -> list[str]:
    """Every formula of the documentation, those that stand alone first."""
    texts = [
        re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        for path in sorted((ROOT / "docs").rglob("*.md"))
    ]
    alone = [formula for text in texts for formula in re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL)]
    rest = [re.sub(r"\$\$.+?\$\$|`[^`]*`", "", text, flags=re.DOTALL) for text in texts]
    return alone + [formula for text in rest for formula in re.findall(r"\$([^$]+?)\$", text)]


@pytest.mark.parametrize("formula", formulas())
def test_every_formula_can_be_written_as_mathml(formula: str) -> None:
    assert latex2mathml.tex2mathml(formula.strip()).startswith("<math")


def test_formulas_become_elements_that_browsers_show_by_themselves() -> None:
    nodes = pytest.importorskip("docutils.nodes")
    from tools.site.mathml import _block, _inline

    class Translator:
        body: list[str] = []  # noqa: RUF012

    for show, node in ((_inline, nodes.math("", "x^2")), (_block, nodes.math_block("", "x^2"))):
        with pytest.raises(nodes.SkipNode):
            show(Translator, node)

    assert "<msup>" in Translator.body[0]
    assert 'display="block"' in Translator.body[1]
