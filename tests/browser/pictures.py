"""Studies of pictures for the viewer: CT, MR in four transfer syntaxes, a coloured cine, a slide.

Small, and never uniform: each picture has a bright disc whose place tells which one it is.
"""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from tests.protocols.web.answers import with_pixels
from tests.protocols.web.studies import CT, MR, ROOT, instance

ULTRASOUND, SLIDE = "1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.77.1.6"
SIDE = 64
SLICES = 10
FRAME_OF_REFERENCE = f"{ROOT}.99"
Pixels = NDArray[Any]


def disc(number: int, bright: int, dark: int, side: int = SIDE) -> Pixels:
    """A disc that moves with the number, on a ramp."""
    row, column = numpy.mgrid[0:side, 0:side]
    ramp = dark + (bright - dark) * column / side / 3
    within = (row - side / 2) ** 2 + (column - side / 4 - number * side / 32) ** 2 < (side / 5) ** 2
    return numpy.where(within, bright, ramp)


def ct_study(number: int, **facts: Any) -> list[Dataset]:
    """Ten slices of CT, each 3 mm above the last."""
    made = []
    for at in range(SLICES):
        one = instance(number, 1, at + 1, SOPClassUID=CT, Modality="CT", SeriesDescription="Thorax 3.0", **facts)
        placed(one, at * 3.0)
        pixels = disc(at, 1200, 0).astype("<i2")
        with_pixels(one, pixels.tobytes(), rows=SIDE, columns=SIDE, bits=16, PixelRepresentation=1)
        one.RescaleIntercept, one.RescaleSlope, one.RescaleType = -1024, 1, "HU"
        one.WindowCenter, one.WindowWidth = -424, 1200
        made.append(one)
    return made


def placed(made: Dataset, height: float) -> None:
    """Where a slice lies (PS3.3 C.7.6.2)."""
    made.FrameOfReferenceUID = FRAME_OF_REFERENCE
    made.PositionReferenceIndicator = ""
    made.ImagePositionPatient = [0, 0, height]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [2, 2], 3
    made.PatientPosition = "HFS"


def _j2k(pixels: Pixels) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True))


Encode = Callable[[Pixels], bytes]
SYNTAXES: dict[str, Encode | None] = {
    str(ExplicitVRLittleEndian): None,
    str(JPEG2000Lossless): _j2k,
    str(JPEGLSLossless): lambda pixels: bytes(imagecodecs.jpegls_encode(pixels)),
    str(JPEGLosslessSV1): lambda pixels: bytes(imagecodecs.ljpeg_encode(pixels)),
}


def mr_study(number: int, **facts: Any) -> list[tuple[Dataset, str]]:
    """Four series of three slices, each in a transfer syntax of its own."""
    made = []
    for series, (syntax, encode) in enumerate(SYNTAXES.items(), 1):
        for at in range(3):
            said = {"SOPClassUID": MR, "Modality": "MR", "SeriesDescription": f"T1 {series}"} | facts
            one = instance(number, series, at + 1, **said)
            placed(one, at * 3.0)
            pixels = disc(at + series, 900, 40).astype("<u2")
            with_pixels(one, pixels.tobytes(), rows=SIDE, columns=SIDE, bits=16)
            one.WindowCenter, one.WindowWidth = 450, 900
            if encode is not None:
                one.PixelData = encapsulate([encode(pixels)])
                one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
            made.append((one, syntax))
    return made


def cine(number: int, frames: int = 12, **facts: Any) -> tuple[Dataset, str]:
    """An ultrasound loop in colour: each frame JPEG, as machines send it."""
    one = instance(number, SOPClassUID=ULTRASOUND, Modality="US", SeriesDescription="Colour flow", **facts)
    coloured(one, SIDE)
    one.NumberOfFrames, one.FrameTime, one.CineRate = frames, 40, 25
    one.FrameIncrementPointer = 0x00181063
    one.PhotometricInterpretation = "YBR_FULL_422"
    one.LossyImageCompression, one.LossyImageCompressionMethod, one.LossyImageCompressionRatio = "01", "ISO_10918_1", 8
    encoded = [bytes(imagecodecs.jpeg8_encode(_colours(at), level=92, subsampling="422")) for at in range(frames)]
    one.PixelData = encapsulate(encoded)
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
    return one, str(JPEGBaseline8Bit)


def _colours(number: int, side: int = SIDE) -> Pixels:
    """Red disc, green ramp, blue ramp across."""
    channels = [disc(number, 250, 10, side), disc(9 - number, 200, 60, side), disc(number, 30, 90, side).T]
    return numpy.stack(channels, axis=-1).astype("u1")


def coloured(made: Dataset, side: int) -> None:
    """The attributes of eight bits of red, green, blue."""
    with_pixels(made, b"", rows=side, columns=side, bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    made.PlanarConfiguration = 0


def slide(number: int, tiles: int = 4) -> list[Dataset]:
    """A slide as a pyramid of two levels (PS3.3 A.32.8), tiled without gaps: 4 x 4 tiles, and 2 x 2."""
    return [_level(number, 1, tiles, 1.0), _level(number, 2, tiles // 2, 2.0)]


def _level(number: int, level: int, tiles: int, coarse: float) -> Dataset:
    one = instance(number, 1, level, SOPClassUID=SLIDE, Modality="SM", SeriesDescription="Slide")
    coloured(one, SIDE)
    shown = [_colours(row * 2 + column) for row in range(tiles) for column in range(tiles)]
    one.NumberOfFrames = len(shown)
    one.PixelData = numpy.stack(shown).tobytes()
    one.ImageType = (
        ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"] if level == 1 else ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    )
    one.DimensionOrganizationType = "TILED_FULL"
    one.TotalPixelMatrixColumns = one.TotalPixelMatrixRows = tiles * SIDE
    one.TotalPixelMatrixFocalPlanes = 1
    one.NumberOfOpticalPaths = 1
    one.ImagedVolumeWidth = one.ImagedVolumeHeight = 1.28
    one.ImagedVolumeDepth = 0.001
    one.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    one.TotalPixelMatrixOriginSequence = Sequence(
        [_item(XOffsetInSlideCoordinateSystem=20, YOffsetInSlideCoordinateSystem=40)]
    )
    one.SpecimenLabelInImage, one.FocusMethod, one.ExtendedDepthOfField = "NO", "AUTO", "NO"
    one.BurnedInAnnotation, one.VolumetricProperties, one.LossyImageCompression = "NO", "VOLUME", "00"
    one.FrameOfReferenceUID, one.PositionReferenceIndicator = f"{ROOT}.{number}.98", "SLIDE_CORNER"
    one.ContainerIdentifier = "S1"
    light = _item(CodeValue="111744", CodingSchemeDesignator="DCM", CodeMeaning="Brightfield illumination")
    one.OpticalPathSequence = Sequence(
        [
            _item(
                OpticalPathIdentifier="1",
                OpticalPathDescription="white",
                IlluminationTypeCodeSequence=Sequence([light]),
            )
        ]
    )
    measures = _item(PixelSpacing=[0.005 * coarse, 0.005 * coarse], SliceThickness=0.001)
    one.SharedFunctionalGroupsSequence = Sequence(
        [
            _item(
                PixelMeasuresSequence=Sequence([measures]),
                WholeSlideMicroscopyImageFrameTypeSequence=Sequence([_item(FrameType=one.ImageType)]),
            )
        ]
    )
    return one


def _item(**facts: Any) -> Dataset:
    made = pydicom.Dataset()
    for keyword, value in facts.items():
        setattr(made, keyword, value)
    return made
