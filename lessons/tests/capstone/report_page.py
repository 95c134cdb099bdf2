"""What holds for every report of the capstone."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Elements with their attributes, and whether all are closed."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check_page(text: str) -> Page:
    """What holds for every report."""
    page = Page(text)
    assert page.open == []
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object")
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
        if tag == "img":
            assert len(attributes["alt"]) > 15
            assert int(attributes["width"]) > 0
        if tag == "pre":
            assert attributes["tabindex"] == "0", "what scrolls must be reached from the keyboard"
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text
    return page
