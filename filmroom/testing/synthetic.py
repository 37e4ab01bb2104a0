"""Made-up images: nobody's, and the same on every machine."""

from io import BytesIO
from typing import TYPE_CHECKING

from bench.data import Shape, files

if TYPE_CHECKING:
    from pydicom import Dataset


def ct_series(slices: int = 3, *, rows: int = 64, seed: int = 1, **attributes: object) -> "list[Dataset]":
    """A CT series of a phantom as ``pydicom.Dataset``\\ s, from head to feet: ``rows`` x ``rows`` pixels of 12 bits
    (uint16), slices of 2 mm, 350 mm wide, about 60 attributes.

    The same words give the same bytes. Another ``seed``: another patient, study and series. ``attributes`` by keyword
    are set in every slice: ``ct_series(2, PatientID="4711", StudyDescription="Chest")``.
    """
    from pydicom import dcmread

    shape = Shape(series=1, instances=slices, rows=rows, seed=seed)
    made: list[Dataset] = [dcmread(BytesIO(file.data)) for file in files(shape)]
    for dataset in made:
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    return made
