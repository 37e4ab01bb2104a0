"""What an administrator chooses. The sentence beside a setting is the only one: template, schema, docs show it."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine import CharacterSet, StoreSettings

AeTitle = Annotated[
    str,
    # PS3.5 6.2: of the default repertoire without backslash and control characters, and not of spaces alone
    Meta(
        pattern=r"^(?=.*[!-\[\]-~])[ -\[\]-~]{1,16}$",
        extra={"allowed": "1 to 16 printable ASCII characters without backslash"},
    ),
]
Url = Annotated[
    str,
    Meta(pattern=r"^(?:https?://[^\s/?#]+(?:/[^\s?#]*)?)?$", extra={"allowed": "a URL with http or https, or nothing"}),
]
Host = Annotated[str, Meta(pattern=r"^\S+$", extra={"allowed": "a name or an address"})]


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[serve]``: a running node."""

    host: Annotated[
        Host,
        Meta(description="Address to listen on: 127.0.0.1 is this machine only, 0.0.0.0 every network it is in."),
    ] = "127.0.0.1"
    dimse_port: Annotated[int, Meta(ge=0, le=65_535, description="DICOM port; 0 takes a free one.")] = 11112
    dimse_tls_port: Annotated[
        int, Meta(ge=0, le=65_535, description="DICOM port with TLS, when [tls] has a certificate; 0 takes a free one.")
    ] = 2762
    http_port: Annotated[int, Meta(ge=0, le=65_535, description="HTTP port; 0 takes a free one.")] = 8080
    public_url: Annotated[
        Url,
        Meta(description="Where clients reach us, when that is not the host they name: behind a proxy, say."),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Addresses or networks of proxies whose Forwarded and X-Forwarded headers are believed."),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="Origins whose pages may ask, https://viewer.example say; * is every one.")
    ] = ()
    tokens: Annotated[
        Literal["auto", "required", "off"],
        Meta(description="Whether requests need a token; auto: not on this machine alone without TLS, else required."),
    ] = "auto"
    insecure: Annotated[
        bool, Meta(description="Serve a network without TLS or without tokens: patient data in the clear, to anybody.")
    ] = False
    ae_title: Annotated[AeTitle, Meta(description="Our AE title.")] = "FILMROOM"
    check_called_ae_title: Annotated[bool, Meta(description="Refuse who calls us by another title than ours.")] = False
    calling: Annotated[
        Literal["auto", "any", "known", "title"],
        Meta(
            description="Who may call: any AE title; known peers, by certificate or address; who says the title of "
            "one, wherever it is; or auto: any from this machine, else known."
        ),
    ] = "auto"
    commitment_wait_seconds: Annotated[
        int,
        Meta(ge=0, le=31_536_000, description="How long a request for storage commitment waits for its images."),
    ] = 3600
    commitment_deadline_seconds: Annotated[
        int,
        Meta(ge=0, le=31_536_000, description="How long its report is offered to a peer that does not take it."),
    ] = 4 * 86_400
    log_format: Annotated[
        Literal["auto", "text", "json"],
        Meta(description="Log lines as text or JSON; auto: text on a terminal, else JSON."),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"


class PeerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[peer]]``: a DICOM application that may call us, and that C-MOVE may send to."""

    ae_title: Annotated[AeTitle, Meta(description="Its AE title.")]
    host: Annotated[Host, Meta(description="Where it listens.")]
    port: Annotated[int, Meta(ge=1, le=65_535, description="Its DICOM port.")] = 104
    character_set: Annotated[
        CharacterSet,
        Meta(
            description="Specific Character Set of our answers to it, UTF-8 where that does not hold the text, and "
            "of its questions that name none. Empty: answers in the set that is stored."
        ),
    ] = ""
    tls: Annotated[bool, Meta(description="Call it over TLS.")] = False
    tls_ca: Annotated[
        str, Meta(description="PEM file of whom we believe for it: an authority. Empty: those of this machine.")
    ] = ""
    tls_name: Annotated[str, Meta(description="The name in its certificate, when that is not its host.")] = ""


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[tls]``: both ports, when there is a certificate. SIGHUP reads the files anew."""

    certificate: Annotated[
        str, Meta(description="PEM file of our certificate and those between it and its authority. Empty: no TLS.")
    ] = ""
    key: Annotated[str, Meta(description="PEM file of its key, without a password. Empty: in the same file.")] = ""
    client_ca: Annotated[str, Meta(description="PEM file of the authorities whose client certificates we believe.")] = (
        ""
    )
    require_client_certificate: Annotated[
        bool, Meta(description="Refuse who shows no certificate of client_ca, on both ports.")
    ] = False
    dicom: Annotated[
        Literal["both", "only", "off"],
        Meta(
            description="DICOM over TLS on serve.dimse_tls_port: beside the plain port, instead of it, or not at all."
        ),
    ] = "both"


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[webhook]]``: who is told of changes."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s/?#@]+(?:/[^\s#]*)?$",
            extra={"allowed": "a URL with http or https"},
            description="Where changes are posted to, in order and signed; redirects are not followed.",
        ),
    ]
    secret: Annotated[
        str,
        Meta(
            min_length=16,
            extra={"allowed": "16 characters or more"},
            description="Key of the HMAC-SHA256 in X-Filmroom-Signature.",
        ),
    ]
    kinds: Annotated[
        tuple[str, ...],
        Meta(description="Kinds of changes: store, delete, restore, promote, collect. Empty: all."),
    ] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``filmroom.toml``."""

    serve: ServeSettings = ServeSettings()
    store: StoreSettings = StoreSettings()
    tls: TlsSettings = TlsSettings()
    peer: tuple[PeerSettings, ...] = ()
    webhook: tuple[WebhookSettings, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """Effective settings; ``origins``: dotted name to ``flag``, ``env NAME``, ``file PATH`` or ``default``."""

    settings: Settings
    origins: dict[str, str]


SECTIONS: Mapping[str, type[msgspec.Struct]] = {"serve": ServeSettings, "store": StoreSettings, "tls": TlsSettings}
LISTS: Mapping[str, type[msgspec.Struct]] = {"peer": PeerSettings, "webhook": WebhookSettings}
