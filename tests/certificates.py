"""Certificates made for a test, as PEM files."""

from datetime import UTC, datetime
from pathlib import Path

import trustme


class Authority:
    """A certificate authority of a test; ``ca`` is its PEM file."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._made = trustme.CA()
        self._folder = folder
        self.ca = folder / f"{name}.pem"
        self._made.cert_pem.write_to_path(str(self.ca))

    def issue(self, name: str, *identities: str, expired: bool = False) -> tuple[Path, Path]:
        """Certificate and key for these names and addresses (default: this machine); written again: renewed."""
        end = datetime(2001, 1, 1, tzinfo=UTC) if expired else None
        made = self._made.issue_cert(*(identities or ("localhost", "127.0.0.1", "::1")), not_after=end)
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        return certificate, key
