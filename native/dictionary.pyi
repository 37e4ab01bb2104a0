"""Keywords of public attributes (PS3.6)."""

def keyword_of(tag: int) -> str:
    """The keyword of a public tag, of any repetition of the groups 50xx and 60xx too; empty for one that has none."""

def tag_of(keyword: str) -> int | None:
    """The tag of a keyword (of a repeating group the first); None when no attribute is called so."""
