"""The instances of a series of the traffic, made when they are sent: the same bytes for the same series always."""

import random
from collections.abc import Sequence
from struct import pack

from bench.data import (
    File,
    Shape,
    file_head,
    instance_elements,
    pixel_data,
    pixel_mark,
    series_elements,
    study_elements,
)
from bench.elements import Element, encoded, merged, text
from bench.phantom import slice_pixels
from bench.traffic import Series

POSITIONS = 8  # pictures that differ; the marks make each instance one of its own


def series_files(series: Series, seed: int) -> list[File]:
    """All of its instances."""
    chance = random.Random(series.series_uid)
    common, encoding = study_elements(chance, series.study_uid, seed, series.study)
    own = series_elements(chance, series.series_uid, series.number - 1, encoding)
    shared = encoded(replaced([*common, *own], of_series(series)))
    shape = Shape(rows=series.rows, instances=series.instances, seed=seed)
    return [_file(chance, series, shape, shared, number) for number in range(1, series.instances + 1)]


def of_series(series: Series) -> list[Element]:
    """Elements that are other than those of the CT studies."""
    return [
        text(0x00080016, "UI", series.kind.sop_class),
        *(text(tag, "DA", series.day) for tag in (0x00080020, 0x00080021, 0x00080022, 0x00080023)),
        *(text(tag, "TM", series.time) for tag in (0x00080031, 0x00080032, 0x00080033)),
        text(0x00080060, "CS", series.kind.modality),
        text(0x00081010, "SH", f"DEVICE{series.device + 1}"),
        text(0x00081030, "LO", f"{series.kind.modality} study"),
    ]


def replaced(elements: Sequence[Element], others: Sequence[Element]) -> list[Element]:
    """The others stand for those of the same tag."""
    tags = {tag for tag, _, _ in others}
    return [*(element for element in elements if element[0] not in tags), *others]


def _file(chance: random.Random, series: Series, shape: Shape, shared: list[tuple[int, bytes]], number: int) -> File:
    uid = f"{series.series_uid}.{number}"
    own = instance_elements(shape, uid, number)
    frames = series.kind.frames
    if frames > 1:
        own += [text(0x00280008, "IS", str(frames)), (0x00280009, "AT", pack("<HH", 0x0018, 0x1063))]
        own += [text(0x00181063, "DS", "66.7")]
    picture = slice_pixels(shape.rows, number % POSITIONS, POSITIONS)
    mark = pixel_mark(chance)
    body = merged(shared, encoded(own)) + pixel_data((picture * frames)[: -len(mark)] + mark)
    name = f"{series.study_uid}/{series.series_uid}/{number:05d}.dcm"
    head = file_head(uid, series.kind.sop_class)
    return File(series.study_uid, series.series_uid, uid, name, head + body, series.kind.sop_class)
