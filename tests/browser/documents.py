"""What is no picture: a report as PDF, an ECG; and what is said of pictures: segmentation, contours, measurements."""

import math
from struct import pack
from typing import Any

import highdicom
import numpy
from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from tests.browser.pictures import FRAME_OF_REFERENCE, SIDE, disc
from tests.protocols.web.studies import ROOT, instance

PDF, ECG, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.481.3"
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def report(number: int) -> Dataset:
    """A page with a line of text and a red field; too long to be part of metadata."""
    drawing = b"BT /F1 36 Tf 60 700 Td (Filmroom report) Tj ET 1 0 0 rg 60 300 300 300 re f"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(drawing), drawing),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    text, offsets = b"%PDF-1.4\n" + b"%" * 100_000 + b"\n", []
    for at, one in enumerate(objects, 1):
        offsets.append(len(text))
        text += b"%d 0 obj%b endobj\n" % (at, one)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    text += b"xref\n0 6\n0000000000 65535 f \n%btrailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(text),
    )
    made = instance(
        number,
        SOPClassUID=PDF,
        Modality="DOC",
        SeriesDescription="Report",
        DocumentTitle="Report",
        Rows=None,
        Columns=None,
    )
    made.MIMETypeOfEncapsulatedDocument, made.BurnedInAnnotation = "application/pdf", "YES"
    made.EncapsulatedDocumentLength = len(text)
    made.EncapsulatedDocument = text + b"\0" * (len(text) % 2)
    return made


def ecg(number: int, seconds: int = 10, rate: int = 500) -> Dataset:
    """Twelve leads of a regular heart."""
    made = instance(number, SOPClassUID=ECG, Modality="ECG", SeriesDescription="Rest", Rows=None, Columns=None)
    made.AcquisitionDateTime = "20240101101500"
    group = Dataset()
    group.WaveformOriginality, group.NumberOfWaveformChannels = "ORIGINAL", len(LEADS)
    group.NumberOfWaveformSamples, group.SamplingFrequency = seconds * rate, rate
    group.MultiplexGroupLabel = "RHYTHM"
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.ChannelDefinitionSequence = Sequence([_channel(at, name) for at, name in enumerate(LEADS)])
    values = [
        round(800 * (1 + at / 12) * math.exp(-(((sample % rate) / rate - 0.4) ** 2) * 3000))
        for sample in range(seconds * rate)
        for at in range(len(LEADS))
    ]
    group.add_new(0x54001010, "OW", pack(f"<{len(values)}h", *values))
    made.WaveformSequence = Sequence([group])
    return made


def _channel(at: int, name: str) -> Dataset:
    made = Dataset()
    made.WaveformChannelNumber, made.ChannelLabel = at + 1, name
    made.ChannelSourceSequence = Sequence([_code(f"5.6.3-9-{at + 1}", "SCPECG", f"Lead {name}")])
    made.ChannelSensitivity, made.ChannelSensitivityCorrectionFactor = 1, 1
    made.ChannelSensitivityUnitsSequence = Sequence([_code("uV", "UCUM", "microvolt")])
    made.ChannelBaseline, made.ChannelSampleSkew, made.WaveformBitsStored = 0, 0, 16
    return made


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def segmentation(images: list[Dataset]) -> Dataset:
    """The discs of a CT, by highdicom."""
    mask = numpy.stack([disc(at, 2, 0) == 2 for at in range(len(images))])
    tissue = CodedConcept("85756007", "SCT", "Tissue")
    segment = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="Disc",
        segmented_property_category=tissue,
        segmented_property_type=CodedConcept("10200004", "SCT", "Liver"),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )
    return highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=mask,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        series_instance_uid=f"{images[0].StudyInstanceUID}.20",
        series_number=20,
        sop_instance_uid=f"{images[0].StudyInstanceUID}.20.1",
        instance_number=1,
        series_description="Discs",
        **_DEVICE,
    )


_DEVICE: dict[str, Any] = {
    "manufacturer": "Filmroom",
    "manufacturer_model_name": "tests",
    "software_versions": "1",
    "device_serial_number": "1",
}


def measurements(images: list[Dataset]) -> Dataset:
    """A length and its value as TID 1500, by highdicom."""
    image = images[4]
    place = highdicom.sr.ImageRegion(
        graphic_type=highdicom.sr.GraphicTypeValues.POLYLINE,
        graphic_data=numpy.array([[10.0, 32.0], [40.0, 32.0]]),
        source_image=highdicom.sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID),
    )
    observer = highdicom.sr.ObserverContext(
        codes.DCM.Person, highdicom.sr.PersonObserverIdentifyingAttributes("Observer^Olga")
    )
    length = highdicom.sr.Measurement(codes.SCT.Length, 60.0, codes.UCUM.Millimeter)
    group = highdicom.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=highdicom.sr.TrackingIdentifier(f"{ROOT}.30", "Cornerstone3DTools@^0.1.0:Length"),
        referenced_region=place,
        finding_type=CodedConcept("108369006", "SCT", "Neoplasm"),
        measurements=[length],
    )
    content = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(observer_person_context=observer),
        procedure_reported=CodedConcept("24727-0", "LN", "CT of chest"),
        imaging_measurements=[group],
    )
    return highdicom.sr.Comprehensive3DSR(
        evidence=images,
        content=content[0],
        series_instance_uid=f"{image.StudyInstanceUID}.30",
        series_number=30,
        sop_instance_uid=f"{image.StudyInstanceUID}.30.1",
        instance_number=1,
        series_description="Measured",
        **{key: value for key, value in _DEVICE.items() if key == "manufacturer"},
    )


def contours(images: list[Dataset]) -> Dataset:
    """The discs again, as the contours of a structure set (PS3.3 C.8.8.6)."""
    first = images[0]
    made = instance(
        1,
        SOPClassUID=RTSTRUCT,
        Modality="RTSTRUCT",
        SeriesDescription="Structures",
        StudyInstanceUID=first.StudyInstanceUID,
        SeriesInstanceUID=f"{first.StudyInstanceUID}.40",
        SOPInstanceUID=f"{first.StudyInstanceUID}.40.1",
        SeriesNumber=40,
        Rows=None,
        Columns=None,
    )
    for keyword in ("PatientID", "PatientName", "StudyDate", "StudyDescription", "StudyID", "AccessionNumber"):
        setattr(made, keyword, first.get(keyword))
    made.StructureSetLabel, made.StructureSetDate, made.StructureSetTime = "Structures", "20240101", "101500"
    referenced = [
        _item(ReferencedSOPClassUID=one.SOPClassUID, ReferencedSOPInstanceUID=one.SOPInstanceUID) for one in images
    ]
    series = _item(SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=Sequence(referenced))
    study = _item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=Sequence([series]),
    )
    made.ReferencedFrameOfReferenceSequence = Sequence(
        [_item(FrameOfReferenceUID=FRAME_OF_REFERENCE, RTReferencedStudySequence=Sequence([study]))]
    )
    roi = _item(
        ROINumber=1, ReferencedFrameOfReferenceUID=FRAME_OF_REFERENCE, ROIName="Disc", ROIGenerationAlgorithm="MANUAL"
    )
    made.StructureSetROISequence = Sequence([roi])
    drawn = [_contour(one, at) for at, one in enumerate(images)]
    made.ROIContourSequence = Sequence(
        [_item(ROIDisplayColor=[0, 255, 0], ReferencedROINumber=1, ContourSequence=Sequence(drawn))]
    )
    observed = _item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN", ROIInterpreter="")
    made.RTROIObservationsSequence = Sequence([observed])
    return made


def _contour(image: Dataset, at: int) -> Dataset:
    height = float(image.ImagePositionPatient[2])
    points = []
    for step in range(24):
        angle = step * math.pi / 12
        column = SIDE / 4 + at * SIDE / 32 + SIDE / 5 * math.cos(angle)
        row = SIDE / 2 + SIDE / 5 * math.sin(angle)
        points += [round(2 * column, 3), round(2 * row, 3), height]
    referenced = _item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
    return _item(
        ContourImageSequence=Sequence([referenced]),
        ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints=24,
        ContourData=points,
    )


def _item(**facts: Any) -> Dataset:
    made = Dataset()
    for keyword, value in facts.items():
        setattr(made, keyword, value)
    return made
