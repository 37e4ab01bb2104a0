"""What handlers work with: the archive, the settings, and the table of routes itself."""

from protocols.web.answered import Answered
from protocols.web.paging import Continuations
from protocols.web.ports import Archive, Traffic
from protocols.web.routing import Route
from protocols.web.settings import WebSettings
from protocols.web.uploads import Uploads


class Site:
    """One for the process."""

    def __init__(
        self, archive: Archive, settings: WebSettings, routes: tuple[Route, ...], traffic: Traffic | None = None
    ) -> None:
        self.archive = archive
        self.settings = settings
        self.routes = routes
        self.traffic = traffic
        self.answered = Answered()
        self.continuations = Continuations(settings.continuations_count_max)
        self.uploads = Uploads()
