"""What a run stores before it asks: four studies, as different as the statements need them."""

from collections.abc import Callable
from functools import cached_property

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from bench.statements import pictures
from bench.statements.objects import (
    JPEG,
    JPEG_2000,
    JPEG_LS,
    MPEG4,
    MR,
    RLE,
    SECONDARY_CAPTURE,
    Keywords,
    Made,
    Run,
    compressed,
    instance,
    with_pixels,
    written,
)
from bench.statements.statement import Untried

LONG_VALUE = bytes(range(256)) * 256  # longer than anybody puts into JSON
LONG_TEXT = "Synthetic words of no patient. " * 200  # so that metadata is worth being packed
PDF = b"%PDF-1.4 synthetic\n"
FRAMES = 5
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
VIDEO_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4.1"


def _optional(make: Callable[["Collection"], Made]) -> Callable[["Collection"], Made]:
    """What is made once, and Untried when the server did not take it."""

    def look(self: "Collection") -> Made:
        made = self.known.setdefault(make.__name__, None) or make(self)
        self.known[make.__name__] = made
        if made.sop in self.absent:
            raise Untried(f"it did not take what this needs: {self.absent[made.sop]}")
        return made

    return look


class Collection:
    """Every object, under its name. ``absent``: SOP Instance UID to the reason why the server has it not."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.known: dict[str, Made | None] = {}
        self.absent: dict[str, str] = {}

    @cached_property
    def ct(self) -> list[Made]:
        """Study 1, series 1: three images of 16 bits, named Müller."""
        return [written(_rich(self.run, number)) for number in (1, 2, 3)]

    @cached_property
    def mr(self) -> list[Made]:
        """Study 1, series 2: two images."""
        named: Keywords = {"PatientName": self.run.patient_name("Müller"), "PatientID": f"CONF-{self.run.mark}-1"}
        made = [instance(self.run, 1, 2, number, SOPClassUID=MR, Modality="MR", **named) for number in (1, 2)]
        return [written(with_pixels(one, pictures.RAMP)) for one in made]

    @cached_property
    def prior(self) -> Made:
        """Study 2: of the same patient, years before."""
        named: Keywords = {"PatientName": self.run.patient_name("Müller"), "PatientID": f"CONF-{self.run.mark}-1"}
        facts: Keywords = {"StudyDate": "20200615", "Modality": "US", "StudyDescription": "Conformance prior"}
        return written(with_pixels(instance(self.run, 2, **named, **facts), pictures.RAMP))

    @cached_property
    def frames(self) -> Made:
        """Study 3: five frames; each pixel of frame n is n."""
        pixels = b"".join(bytes([number]) * 64 for number in range(1, FRAMES + 1))
        return written(with_pixels(self._picture(1), pixels, 8, NumberOfFrames=FRAMES))

    @cached_property
    def many(self) -> Made:
        """125 frames of 8 x 8; each pixel of frame n is n."""
        pixels = b"".join(bytes([number]) * 64 for number in range(1, 126))
        return written(with_pixels(self._picture(2), pixels, 8, NumberOfFrames=125))

    @property
    @_optional
    def rle(self) -> Made:
        return written(compressed(self._picture(3), pictures.rle()), RLE)

    @property
    @_optional
    def jpeg(self) -> Made:
        return written(compressed(self._picture(4), pictures.JPEG, LossyImageCompression="01"), JPEG)

    @property
    @_optional
    def jpeg_2000(self) -> Made:
        return written(compressed(self._picture(5), pictures.JPEG_2000), JPEG_2000)

    @property
    @_optional
    def jpeg_ls(self) -> Made:
        return written(compressed(self._picture(6), pictures.JPEG_LS), JPEG_LS)

    @cached_property
    def pdf(self) -> Made:
        """Study 4, as the rest: an encapsulated document."""
        made = self._other(
            1, SOPClassUID=ENCAPSULATED_PDF, Modality="DOC", MIMETypeOfEncapsulatedDocument="application/pdf"
        )
        made.add_new(0x00420011, "OB", PDF + b"\0" * (len(PDF) % 2))
        made.EncapsulatedDocumentLength = len(PDF)
        return written(made)

    @property
    @_optional
    def video(self) -> Made:
        made = self._other(2, SOPClassUID=VIDEO_PHOTOGRAPHIC, Modality="XC", NumberOfFrames=30)
        return written(compressed(made, pictures.video()), MPEG4)

    @cached_property
    def bulky(self) -> Made:
        """Long values: a colour profile, a waveform in a sequence; and palettes of 4 kB."""
        made = with_pixels(self._other(3), pictures.RAMP, PhotometricInterpretation="PALETTE COLOR")
        for colour in ("Red", "Green", "Blue"):
            setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [2048, 0, 16])
            setattr(made, f"{colour}PaletteColorLookupTableData", bytes(range(256)) * 16)
        made.ICCProfile = LONG_VALUE
        group = Dataset()
        group.WaveformBitsAllocated = 16
        group.add_new(0x54001010, "OW", LONG_VALUE)
        made.WaveformSequence = Sequence([group])
        return written(made)

    def all(self) -> list[Made]:
        """In the order in which they are stored."""
        pictured = [self.frames, self.many, self.rle, self.jpeg, self.jpeg_2000, self.jpeg_ls]
        return [*self.ct, *self.mr, self.prior, *pictured, self.pdf, self.video, self.bulky]

    def optional(self) -> list[Made]:
        """What a server may refuse: all that is compressed."""
        return [self.rle, self.jpeg, self.jpeg_2000, self.jpeg_ls, self.video]

    def _picture(self, number: int) -> Dataset:
        name = f"Yamada^Tarou{self.run.mark}=山田^太郎{self.run.mark}=やまだ^たろう{self.run.mark}"
        facts: Keywords = {
            "PatientName": name,
            "SOPClassUID": SECONDARY_CAPTURE,
            "StudyDate": "20240301",
            "Modality": "OT",
        }
        return instance(self.run, 3, number, 1, **facts)

    def _other(self, number: int, **keywords: object) -> Dataset:
        facts: Keywords = {"SOPClassUID": SECONDARY_CAPTURE, "StudyDate": "20230704", "Modality": "OT"}
        return instance(self.run, 4, number, 1, **{**facts, **keywords})


def _rich(run: Run, number: int) -> Dataset:
    """An image with what the JSON model is about: numbers, an empty value, items in items, private elements."""
    facts: Keywords = {"PatientName": run.patient_name("Müller"), "InstitutionName": "Conformance Hospital"}
    made = instance(
        run,
        1,
        1,
        number,
        **facts,
        SliceThickness="2.5",
        AcquisitionNumber=1,
        PatientComments="",
        ImageComments=LONG_TEXT,
    )
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "CONF", "99CONF", "Synthetic"
    step = Dataset()
    step.ScheduledProcedureStepID = f"SPS{number}"
    step.ScheduledProtocolCodeSequence = Sequence([code])
    made.RequestAttributesSequence = Sequence([step])
    made.private_block(0x0009, "CONFORMANCE 1", create=True).add_new(1, "LO", f"private {number}")
    pixels = b"".join(value.to_bytes(2, "little") for value in range(number, number + 256))
    return with_pixels(made, pixels, bits=16, WindowCenter="128", WindowWidth="256")
