"""An archive as pydicom and numpy have it: instances as data sets, series as arrays."""

from types import TracebackType
from typing import TYPE_CHECKING, Any

from engine import Archive, Origin, Stored
from filmroom import datasets
from filmroom.volumes import Volume, volume
from protocols.transcode import Transcoder

if TYPE_CHECKING:
    import numpy
    from pydicom import Dataset

LIBRARY = Origin(how="library")


class Images:
    """``async with filmroom.Images(archive) as images``: decoders run in processes of their own until its end."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._transcoder = Transcoder()

    async def __aenter__(self) -> "Images":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transcoder.__aexit__(kind, error, traceback)

    async def store(self, dataset: "Dataset", origin: Origin = LIBRARY) -> Stored:
        """Keep a data set as pydicom encodes it. Raises as ``Archive.store``, and what pydicom raises."""
        return await self.archive.store(datasets.file_of(dataset), origin)

    async def instance(self, sop_instance_uid: str, *, study_uid: str = "", series_uid: str = "") -> "Dataset":
        """One instance as a ``pydicom.Dataset``, pixels and file meta with it.

        ``study_uid``, ``series_uid``: which one, when its UID is kept in more than one series. Raises Missing, Conflict
        when it is not clear which one is meant, Corrupt when stored bytes are not what was written.
        """
        return await datasets.instance(self.archive, sop_instance_uid, study_uid=study_uid, series_uid=series_uid)

    async def series(
        self, series_uid: str, *, study_uid: str = "", rescale: bool = False
    ) -> "numpy.ndarray[Any, numpy.dtype[Any]]":
        """The pictures of a series as one array of shape (slices, rows, columns), of colours (slices, rows, columns,
        samples). A frame of a multi-frame instance is a slice.

        Slices lie in order of space: along the normal of their plane (rows x columns: of transverse slices from feet to
        head), those of one place, and series of slices that are not parallel, by Instance Number and frame.

        Values are those stored, in their own type (``uint16``, say), without what stands above Bits Stored; lossy and
        colour JPEG as RGB, other colours as they are (``volume`` tells). With ``rescale``: slope x stored + intercept,
        each slice with its own, as ``float32`` (``float64`` of 32-bit samples): HU for CT, what ``volume`` calls
        ``units`` for others.

        ``study_uid``: which one, when its UID is kept in more than one study. Raises Missing, Conflict when it is not
        clear which one is meant; Invalid when its pictures are not alike in size and type, when one is no picture, or
        when it is compressed and the codecs are not installed (pip install 'filmroom[codecs]'); Corrupt when stored
        bytes are not what was written; ImportError without numpy, which comes with the codecs.
        """
        return (await self.volume(series_uid, study_uid=study_uid, rescale=rescale)).array

    async def volume(self, series_uid: str, *, study_uid: str = "", rescale: bool = False) -> Volume:
        """The same with its geometry: ``array``, ``spacing_mm``, ``origin_mm``, ``orientation``, ``units``, and of each
        slice which instance it is. Raises as ``series``."""
        return await volume(self.archive, self._transcoder, series_uid, study_uid=study_uid, rescale=rescale)
