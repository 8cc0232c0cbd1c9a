"""Splits text into sentences, so that speech can begin with the first one."""

from __future__ import annotations

import re
from typing import AsyncIterator, List

# The longest sentence, in characters. A longer one is cut at white space.
MAX_LENGTH = 1000

# A mark with what closes behind it and white space; a mark of Chinese or Japanese; a blank line.
# Runs are bounded, so that a text of nothing but marks takes no longer than others.
_END = re.compile(r"[.!?…][.!?…\"'”’)\]]{0,20}(?=\s)|[。！？]{1,20}(?=[^。！？])|\n[^\S\n]{0,20}\n")

# Titles and the like whose full stop ends no sentence.
_ABBREVIATION = re.compile(r"(?:^|\s)(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|[A-Z])\.$")

# As many characters as tell an abbreviation.
_ABBREVIATION_LENGTH = 6


class Sentences:
    """Takes text piece by piece, and gives each sentence as soon as it is complete."""

    def __init__(self) -> None:
        self._text = ""
        self._searched = 0

    def push(self, piece: str) -> List[str]:
        """Takes the next piece; returns the sentences that are complete with it."""
        self._text += piece
        complete: List[str] = []
        start = 0
        for found in _END.finditer(self._text, self._searched):
            end = found.end()
            tail = self._text[max(start, end - _ABBREVIATION_LENGTH) : end]
            if _ABBREVIATION.search(tail if end - _ABBREVIATION_LENGTH > start else f" {tail}"):
                continue
            complete += _cut(self._text[start:end])
            start = end
        self._text = self._text[start:]
        if len(self._text) > MAX_LENGTH:
            *long, self._text = _parts(self._text)
            complete += [each.strip() for each in long if each.strip()]
        # What a mark is worth may depend on the next characters, so the last ones are looked at again.
        self._searched = len(self._text.rstrip("".join(".!?…\"'”’)]。！？ \t\r\n")))
        return complete

    def end(self) -> List[str]:
        """What is left."""
        rest, self._text, self._searched = self._text, "", 0
        return _cut(rest)


def _cut(text: str) -> List[str]:
    return [each.strip() for each in _parts(text.strip()) if each.strip()]


def _parts(text: str) -> List[str]:
    """The text in parts that are no longer than a sentence may be."""
    parts: List[str] = []
    start = 0
    while len(text) - start > MAX_LENGTH:
        limit = start + MAX_LENGTH
        space = max(text.rfind(each, start + 1, limit) for each in " \n\t")
        end = space if space > 0 else limit
        parts.append(text[start:end])
        start = end
    return [*parts, text[start:]]


async def sentences_of(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The sentences of text that arrives piece by piece."""
    sentences = Sentences()
    async for piece in pieces:
        for sentence in sentences.push(piece):
            yield sentence
    for sentence in sentences.end():
        yield sentence
