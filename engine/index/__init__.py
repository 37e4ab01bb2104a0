"""The index: a fold of the journal, never the truth. Lost, it comes back."""

from engine.index.indexer import Index
from engine.index.outcome import FoldOutcome
from engine.index.pages import Answer
from engine.index.schema import Row
from engine.index.view import View

__all__ = ["Answer", "FoldOutcome", "Index", "Row", "View"]
