"""What became of what was to be sent."""

from engine.model import Instance
from native import wire
from protocols.dimse.tally import Tally


def instance(study: str, series: str = "2", name: str = "3") -> Instance:
    return Instance(
        study_uid=study,
        series_uid=series,
        sop_instance_uid=name,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        key="0" * 32,
        size_bytes=1,
        stamp=1,
        writer="w",
        lsn=1,
    )


def test_each_status_is_counted_as_what_it_is() -> None:
    part = [instance("1", name=str(number)) for number in range(5)]
    tally = Tally(5)
    for one, status in zip(part, (0x0000, 0xB000, 0xA700, wire.UNSOUND_OBJECT), strict=False):
        tally.count(one, status)
    assert (tally.sent_count, tally.warning_count, tally.unsound_count) == (1, 1, 1)
    assert [failure.sop_instance_uid for failure in tally.failures] == ["2", "3"]
    assert tally.open(part) == part[4:] and tally.remaining_count == 1


def test_an_instance_that_is_kept_in_two_studies_is_two() -> None:
    """One move of a patient may ask for both; what became of one says nothing of the other."""
    first, second = instance("1.1"), instance("1.2")
    tally = Tally(2)
    tally.count(first, 0)
    assert tally.open([first, second]) == [second]
