"""The flags that every command shares: which store, which configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from filmroom.loading import load
from filmroom.settings import Loaded


@Parameter(name="*")
@dataclass(frozen=True)
class Place:
    """Which archive."""

    store: Annotated[
        str | None, Parameter(help="Folder of the archive (default: ./filmroom-data).  [env: FILMROOM_STORE_URL]")
    ] = None
    config: Annotated[Path | None, Parameter(help="Settings file (default: ./filmroom.toml if there is one).")] = None

    def load(self, **flags: object) -> Loaded:
        """Effective settings."""
        return load(self.config, {"store.url": self.store, **flags})


HERE = Place()
# For who looks for damage: what is damaged is opened, too.
DAMAGED: Mapping[str, object] = {"store.damaged": "read"}
