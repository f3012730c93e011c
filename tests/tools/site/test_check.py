from pathlib import Path

import pytest

from tools.site.check import main, problems


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="b.html#here">', None),
        ('<a href="#top"><p id="top">', None),
        ('<a href="https://arxiv.org/abs/2006.14619">', None),
        ('<link rel="canonical" href="https://host.example/a.html">', None),
        ('<img src="data:image/png;base64,AA">', None),
        ('<a href="c.html">', "leads nowhere"),
        ('<a href="b.html#there">', "names no place"),
        ('<a href="#nowhere">', "names no place"),
        ('<a href="http://arxiv.org">', "no https address"),
        ('<img src="missing.png">', "leads nowhere"),
        ('<script src="https://host.example/a.js"></script>', "loads https"),
        ('<script src="//host.example/a.js"></script>', "loads //host"),
        ('<link rel="stylesheet" href="https://host.example/a.css">', "loads https"),
    ],
)
def test_dead_links_and_what_is_loaded_from_elsewhere_are_found(
    tmp_path: Path, body: str, problem: str | None
) -> None:
    (tmp_path / "a.html").write_text(body)
    (tmp_path / "b.html").write_text('<p id="here">')

    found = problems(tmp_path)

    if problem is None:
        assert not found
    else:
        assert any(problem in line for line in found)


def test_styles_may_not_load_fonts_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>")
    (tmp_path / "a.css").write_text("@font-face { src: url(https://host.example/font.woff) }")

    assert problems(tmp_path) == ["a.css loads from another host"]


def test_a_folder_without_pages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no pages"):
        main(str(tmp_path))
