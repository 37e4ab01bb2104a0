"""Media types and their parameters as clients write them (RFC 9110 8.3.1): quoted or bare, in any case. Pure."""

import re

import msgspec

# A bare value ends at the separators of lists and parameters; clients leave quotes out around ``application/dicom``.
_PARAMETER = re.compile(r'\s*;\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*')
_NAME = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*")


class MediaType(msgspec.Struct, frozen=True):
    """A media type or range. ``name`` and the names of ``parameters`` are lower case, values unquoted."""

    name: str
    parameters: dict[str, str] = {}

    @property
    def type(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]


def media_type_of(text: str) -> MediaType | None:
    """The one media type that a header says; None when it says none."""
    found, end = _media_type_at(text, 0)
    return found if found is not None and end == len(text) else None


def media_types_of(text: str, count_max: int) -> list[MediaType]:
    """The members of a comma-separated list. What cannot be read is left out, and what is too many."""
    found: list[MediaType] = []
    at = 0
    while at < len(text) and len(found) < count_max:
        one, at = _media_type_at(text, at)
        rest = text.find(",", at)
        if one is not None and not text[at : rest if rest >= 0 else len(text)].strip(" \t;"):
            found.append(one)
        at = rest + 1 if rest >= 0 else len(text)
    return found


def parameters_of(text: str) -> dict[str, str]:
    """``name=value; name="value"``: names in lower case, the first of each; ends at what cannot be read."""
    return _parameters_at(";" + text, 0)[0]


def _media_type_at(text: str, at: int) -> tuple[MediaType | None, int]:
    name = _NAME.match(text, at)
    if name is None:
        return None, at
    parameters, end = _parameters_at(text, name.end())
    return MediaType(name[1].lower(), parameters), end


def _parameters_at(text: str, at: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    while (found := _PARAMETER.match(text, at)) is not None:
        value = found[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        parameters.setdefault(found[1].lower(), value)
        at = found.end()
    return parameters, at
