"""The front door of transcoding: which transfer syntax to send, and the object in it."""

from protocols.codecs.syntaxes import Codecs, installed_codecs
from protocols.transcode.choice import Way, choose, ways, why_not
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.settings import TranscodeSettings
from protocols.transcode.transcoder import Sendable, Transcoder

__all__ = [
    "Codecs",
    "Sendable",
    "TranscodeSettings",
    "Transcoder",
    "Untranscodable",
    "Way",
    "choose",
    "installed_codecs",
    "ways",
    "why_not",
]
