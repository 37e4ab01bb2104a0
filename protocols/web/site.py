"""What handlers work with: the archive, the settings, and the table of routes itself."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import trio

from engine.clock import Identifiers
from protocols.transcode import FrameCache, Transcoder
from protocols.web.answered import Answered
from protocols.web.ports import Archive, Household, Traffic
from protocols.web.qido.paging import Continuations
from protocols.web.rest.history import History
from protocols.web.rest.reckoning import Reckoning
from protocols.web.rest.watchers import Watchers
from protocols.web.rest.working import Working
from protocols.web.routing import Route
from protocols.web.settings import WebSettings
from protocols.web.stow.uploads import Uploads
from protocols.web.ups.listeners import Notifications
from protocols.web.viewer.installed import Viewer
from protocols.web.wado.opened import OpenObjects


class Site:
    """One for the process."""

    def __init__(
        self,
        archive: Archive,
        settings: WebSettings,
        routes: tuple[Route, ...],
        traffic: Traffic | None = None,
        transcoder: Transcoder | None = None,
        *,
        household: Household | None = None,
        is_locked: bool = False,
        shutdown: trio.Event,
    ) -> None:
        self.archive = archive
        self.settings = settings
        self.routes = routes
        self.traffic = traffic
        self.answered = Answered()
        self.continuations = Continuations(settings.continuations_count_max)
        self.uploads = Uploads()
        self.household = household
        self.is_locked = is_locked  # a token is needed
        self.history = History(archive, household)
        self.watchers = Watchers(archive, shutdown)
        self.notifications = Notifications(archive, settings)
        self.working = Working()
        self.viewer = Viewer(Path(settings.viewer_folder) if settings.viewer_folder else None)
        self.reckoning = Reckoning(archive)
        self.transcoder = transcoder or Transcoder()
        self.images = FrameCache(settings.images_bytes_max)
        self.readers = ThreadPoolExecutor(settings.reader_threads_count_max, "filmroom-web")
        self.objects = OpenObjects(archive, settings.open_objects_count_max, settings.open_objects_bytes_max)
        self._identifiers = Identifiers()

    def boundary(self) -> str:
        """Between the parts of one answer: what no stored object can hold on purpose."""
        return self._identifiers.random_id() * 2

    async def close(self) -> None:
        """End what it began."""
        self.notifications.close()
        self.objects.close()
        self.readers.shutdown(wait=False, cancel_futures=True)
