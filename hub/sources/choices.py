"""Options, rows and columns of a question, and which of them an answer means."""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from hub.sources.values import digest

# A tag cannot contain the beginning of another, which keeps a text full of `<` cheap.
_BREAK = re.compile(r"</?(?:p|div|br|li|ul|ol|h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def plain(label: str) -> str:
    """A label without its markup."""
    return " ".join(html.unescape(_TAG.sub("", _BREAK.sub(" ", label))).split())


def _look(label: str, plain: Callable[[str], str] = plain) -> str:
    return unicodedata.normalize("NFC", plain(label)).casefold()


class Choice(Struct, frozen=True):
    """An option, a row, a column. Some have no id."""

    id: str | None
    label: str

    @property
    def part(self) -> str:
        return self.id or digest(self.label)


class Choices(Struct, frozen=True):
    """Options by what an answer may call them: an id, or a label as it stands or as it looks, then by its language."""

    by_id: Mapping[str, Choice] = {}
    by_label: Mapping[str, Mapping[str, Choice]] = {}
    by_look: Mapping[str, Mapping[str, Choice]] = {}

    def find(self, text: str, language: str | None) -> Choice | None:
        return self.by_id.get(text) or self.labeled(text, language)

    def labeled(self, text: str, language: str | None = None) -> Choice | None:
        """An answer holds the label its renderer showed, which may be of another language than the response ended in."""
        found = self.by_label.get(text) or self.by_look.get(_look(text))
        return found[min(found, key=lambda code: (_distance(code, language), code))] if found else None


def choices_of(labeled: Iterable[tuple[Choice, Mapping[str, str]]], plain: Callable[[str], str] = plain) -> Choices:
    """Options with their labels by language. Of two with the same label the first counts."""
    by_id: dict[str, Choice] = {}
    by_label: dict[str, dict[str, Choice]] = {}
    by_look: dict[str, dict[str, Choice]] = {}
    for choice, labels in labeled:
        if choice.id:
            by_id.setdefault(choice.id, choice)
        for code, label in labels.items():
            by_label.setdefault(label, {}).setdefault(code, choice)
            by_look.setdefault(_look(label, plain), {}).setdefault(code, choice)
    for index in (by_label, by_look):
        index.pop("", None)  # an answer without a text names no option
    return Choices(by_id, by_label, by_look)


def _distance(code: str, language: str | None) -> int:
    """How far a language is from that of the response. `de` and `de-DE` are near: codes were completed in 2026."""
    code, wanted = code.casefold(), (language or "default").casefold()
    if code == wanted:
        return 0
    if code.partition("-")[0] == wanted.partition("-")[0]:
        return 1
    return 2 if code == "default" else 3
