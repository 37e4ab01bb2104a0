"""Person names as they are compared (PS3.4 C.2.2.2.1, C.5.1.1.3): folded, by component group, by word and sound. Pure.

A field of the index is an attribute's path, or such a path with a suffix from here. Suffixes are never part of a path.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

PRIVATE_NAME: Final = "~"  # behind the path of a private person name: no dictionary tells that it is one
GROUPS: Final = ("", "|2", "|3")  # alphabetic, ideographic, phonetic (PS3.5 6.2.1.1)
WORDS: Final = "^"  # behind that of a group: the words of its names, to be asked for in any order and spelt nearly so
SOUNDS: Final = "%"  # ... and what they sound like

NAME_WORDS_COUNT_MAX: Final = 16  # of one name: others are found by the whole name only
EDITED_CHARACTERS_MIN: Final = 4  # one letter more or less of three makes another name
SOUND_CHARACTERS_MIN: Final = 3  # shorter ones are shared by too many

_JOINERS: Final = re.compile("['`.\u2019]")  # within one word: O'Brien
_PARTERS: Final = re.compile(r"[\s^,*?\-\u2010-\u2015]+")
# Letters that Unicode does not part from their stroke, and ligatures.
_PLAIN: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe",
                               "þ": "th"})  # fmt: skip
_VOICED: Final = "\u3099\u309a"  # of kana: another syllable, not an accent
# Letters that sound alike, from the longest down.
_SOUNDS: Final = tuple(
    (re.compile(letters), sound)
    for letters, sound in (
        ("sch|sh", "s"), ("ph", "f"), ("th|dt", "t"), ("ck|ch", "k"), ("(?<=.)g?h", ""), ("tz|z|c(?=[eiy])", "s"),
        ("[vw]", "f"), ("d", "t"), ("[cqg]", "k"), ("x", "ks"), ("b", "p"), ("[aeiouy]+", "a"), (r"(.)\1+", r"\1"),
    )
)  # fmt: skip


def fold_name(text: str) -> str:
    """Lower case, accents off, trailing delimiters off."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if c in _VOICED or not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare.casefold().translate(_PLAIN)).strip(" ^")


def name_terms(path: str, value: str) -> Iterator[tuple[str, str]]:
    """What a person name is found by: fields and values, each component group by itself (C12)."""
    for number, group in enumerate(value.split("=")):
        if folded := fold_name(group):
            field = path + GROUPS[min(number, len(GROUPS) - 1)]
            yield field, folded
            for word in words(folded)[:NAME_WORDS_COUNT_MAX]:
                yield field + WORDS, word
                if sound := sound_of(word):
                    yield field + SOUNDS, sound


def words(folded: str) -> list[str]:
    """The words of a folded name, each once."""
    return list(dict.fromkeys(word for word in _PARTERS.split(_JOINERS.sub("", folded)) if word))


@lru_cache(maxsize=4096)
def sound_of(word: str) -> str:
    """What a word of Latin letters sounds like, roughly; empty when that says little."""
    if not (word.isascii() and word.isalpha()):
        return ""
    for expression, sound in _SOUNDS:
        word = expression.sub(sound, word)
    return word if len(word) >= SOUND_CHARACTERS_MIN else ""


def is_one_edit(one: str, other: str) -> bool:
    """Whether at most one character is added, left out, replaced, or has changed places with its neighbour."""
    if abs(len(one) - len(other)) > 1:
        return False
    shorter = min(len(one), len(other))
    begin = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    one, other = one[begin:], other[begin:]
    shorter = min(len(one), len(other))
    end = next((at for at in range(shorter) if one[-1 - at] != other[-1 - at]), shorter)
    one, other = one[: len(one) - end], other[: len(other) - end]
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])
