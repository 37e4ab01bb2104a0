"""Keywords of public attributes (PS3.6), from a table made of pydicom's dictionary, which takes 0.3 s to import."""

cdef extern from *:
    """
    #include "keyword_table.h"
    """
    const char* KEYWORDS "fr_keywords"


def _names():
    cdef bytes text = KEYWORDS
    lines = text.decode("ascii").split("\n")[:-1]
    return {int(line[:8], 16): line[8:] for line in lines}


cdef dict NAMES = _names()
cdef dict TAGS = {keyword: tag for tag, keyword in reversed(NAMES.items())}


def keyword_of(tag):
    if tag >> 24 in (0x50, 0x60) and not tag >> 16 & 1:
        tag &= 0xFF00FFFF
    return NAMES.get(tag, "")


def tag_of(keyword):
    return TAGS.get(keyword)
