"""The front door of transcoding: which transfer syntax to send, and the object in it."""

from protocols.codecs.look import Look, Table, Viewport, Window
from protocols.codecs.syntaxes import ALL_CODECS, Codecs, installed_codecs
from protocols.transcode.choice import Way, choose, ways, why_not
from protocols.transcode.frame_cache import FrameCache
from protocols.transcode.frame_values import FrameValues, text_of
from protocols.transcode.pixels import by_marker
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.settings import TranscodeSettings
from protocols.transcode.source import Source
from protocols.transcode.transcoder import Sendable, Transcoder
from protocols.transcode.unfolding import Unfolding
from protocols.transcode.unusual import shifted

__all__ = [
    "ALL_CODECS",
    "Codecs",
    "FrameCache",
    "FrameValues",
    "Look",
    "Sendable",
    "Source",
    "Table",
    "TranscodeSettings",
    "Transcoder",
    "Unfolding",
    "Untranscodable",
    "Viewport",
    "Way",
    "Window",
    "by_marker",
    "choose",
    "installed_codecs",
    "shifted",
    "text_of",
    "ways",
    "why_not",
]
