"""Checks the built pages: ``python -m tools.site.check docs/_build/html``.

Nothing may be loaded from another host, every link within the site must lead to a page and to a
place in it, and links to other hosts must be of the form that browsers take.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"img": "src", "script": "src", "source": "src", "iframe": "src", "link": "href"}
# A <link> of these kinds is a name, which browsers do not load.
_NAMES = {"canonical", "index", "search", "next", "prev", "author", "copyright"}


class Page(HTMLParser):
    """What a page links to, what it loads, and the places that links may name.

    Example:
        >>> page = Page('<p id="a"><a href="b.html#c">b</a><img src="d.png"></p>')
        >>> page.places, page.links, page.loaded
        ({'a'}, ['b.html#c'], ['d.png'])
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what one element names."""
        values = {name: value for name, value in attrs if value is not None}
        self.places.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        named = tag == "link" and not _NAMES.isdisjoint(values.get("rel", "").split())
        if not named and (place := values.get(_LOADED.get(tag, ""))):
            self.loaded.append(place)


def problems(folder: Path) -> list[str]:
    """What is wrong with the pages of a folder, a line each.

    Args:
        folder: Of the built site.
    """
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    found = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        for place in page.loaded:
            if urlsplit(place).netloc:
                found.append(f"{name} loads {place}")
        for link in [*page.links, *page.loaded]:
            if problem := _problem(link, path, pages):
                found.append(f"{name}: {link} {problem}")
    for style in folder.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        if "url(http" in text or "@import" in text or "url(//" in text:
            found.append(f"{style.relative_to(folder)} loads from another host")
    return sorted(set(found))


def _problem(link: str, path: Path, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme in ("data", "mailto"):
        return None
    if parts.scheme or parts.netloc:
        formed = parts.scheme == "https" and "." in parts.netloc and " " not in link
        return None if formed else "is no https address"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return "leads nowhere"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
        return "names no place of that page"
    return None


def main(folder: str) -> None:
    """Ends with an error that lists every problem of the site in the folder."""
    place = Path(folder).resolve()
    found = problems(place)
    if found or not any(place.rglob("*.html")):
        raise SystemExit("\n".join(found) or f"{place} holds no pages")
    print(f"{len(list(place.rglob('*.html')))} pages: no dead link, nothing from another host")


if __name__ == "__main__":
    main(*sys.argv[1:])
