"""C-FIND with real peers (C09-C11, C14; H10, H23)."""

import pytest

from tests.protocols.serving import STUDY, Served, paper_archive, serving


def keys(*wanted: str) -> list[str]:
    return [part for key in wanted for part in ("-k", key)]


def found(output: str) -> int:
    return output.count("(Pending)")


async def findscu(served: Served, model: str, *wanted: str, extra: tuple[str, ...] = ()) -> tuple[int, str]:
    return await served.run(
        "findscu", "-v", *extra, model, "-aec", "FILMROOM", "127.0.0.1", str(served.port), *keys(*wanted)
    )


@pytest.mark.parametrize(
    ("model", "wanted", "count"),
    [
        ("-S", ("8,52=STUDY", "10,20=P1", "20,d"), 1),
        ("-S", ("8,52=STUDY", "10,20=P2", "20,d"), 0),
        ("-S", ("8,52=SERIES", f"20,d={STUDY}", "20,e", "8,60"), 1),
        ("-S", ("8,52=IMAGE", f"20,d={STUDY}", f"20,e={STUDY}.1", "8,18"), 104),
        ("-P", ("8,52=PATIENT", "10,20", "10,10"), 1),
        ("-P", ("8,52=STUDY", "10,20=P1", "20,d"), 1),
        ("-P", ("8,52=IMAGE", "10,20=P1", f"20,d={STUDY}", f"20,e={STUDY}.1", f"8,18={STUDY}.1.5"), 1),
    ],
)
@pytest.mark.parametrize("syntax", ["-xe", "-xi"])
def test_C09_all_levels_of_both_roots(model: str, wanted: tuple[str, ...], count: int, syntax: str) -> None:
    async def check(served: Served) -> None:
        code, output = await findscu(served, model, *wanted, extra=(syntax,))
        assert code == 0, output
        assert found(output) == count
        assert "Success" in output

    serving(check, paper_archive())


def test_pages_of_the_index_make_one_answer() -> None:
    async def check(served: Served) -> None:
        _, output = await findscu(served, "-S", "8,52=IMAGE", f"20,d={STUDY}", f"20,e={STUDY}.1", "8,18")
        assert found(output) == 104
        assert len(served.archive.asked) == 11

    serving(check, paper_archive(), find_page_count=10, find_send_bytes=500)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("-S", ("8,52=IMAGE", "8,18")),
        ("-S", ("8,52=SERIES", "20,e")),
        ("-S", ("8,52=SERIES", "20,d=1.2\\1.3", "20,e")),
        ("-S", ("8,52=PATIENT", "10,20")),
        ("-S", ("8,52=FRAME", "8,18")),
        ("-S", ("20,d",)),
        ("-P", ("8,52=STUDY", "20,d")),
        ("-S", ("8,52=STUDY", "20,d=../../x")),
    ],
)
def test_C10_what_cannot_be_asked_is_A900(model: str, wanted: tuple[str, ...]) -> None:
    async def check(served: Served) -> None:
        _, output = await findscu(served, model, *wanted)
        assert "DataSetDoesNotMatchSOPClass" in output, output
        assert found(output) == 0

    serving(check, paper_archive(3))


def test_C11_requested_keys_and_what_every_response_says() -> None:
    import trio
    from pydicom.dataset import Dataset
    from pynetdicom import AE
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find  # type: ignore[attr-defined]

    def ask(port: int, **wanted: str) -> list[tuple[int, Dataset | None]]:
        entity = AE()
        entity.add_requested_context(Find)
        association = entity.associate("127.0.0.1", port)
        assert association.is_established
        identifier = Dataset()
        for keyword, value in wanted.items():
            setattr(identifier, keyword, value)
        answers = [(status.Status, row) for status, row in association.send_c_find(identifier, Find)]
        association.release()
        return answers

    async def check(served: Served) -> None:
        answers = await trio.to_thread.run_sync(
            lambda: ask(
                served.port, QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName="m*", AccessionNumber=""
            )
        )
        assert [status for status, _ in answers] == [0xFF00, 0x0000]
        row = answers[0][1]
        assert row is not None
        assert {element.keyword for element in row} == {
            "SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle", "InstanceAvailability",
            "StudyInstanceUID", "PatientName", "AccessionNumber",
        }  # fmt: skip
        assert row.PatientName == "Müller^Hans"
        assert (row.RetrieveAETitle, row.InstanceAvailability) == ("FILMROOM", "ONLINE")
        plain = await trio.to_thread.run_sync(
            lambda: ask(served.port, QueryRetrieveLevel="STUDY", StudyInstanceUID="", StudyDate="")
        )
        assert plain[0][1] is not None and "SpecificCharacterSet" not in plain[0][1]

    serving(check, paper_archive(3))


def test_C14_a_key_below_the_level_is_FF01_and_still_answered() -> None:
    async def check(served: Served) -> None:
        _, output = await findscu(served, "-S", "8,52=STUDY", "20,d", "20,13=1")
        assert output.count("WarningUnsupportedOptionalKeys") == 1, output

    serving(check, paper_archive(3))


def test_H10_a_bomb_of_wild_cards_is_A900() -> None:
    async def check(served: Served) -> None:
        _, output = await findscu(served, "-S", "8,52=STUDY", "20,d", "10,10=" + "*a" * 20_000)
        assert found(output) == 0
        _, output = await findscu(served, "-S", "8,52=STUDY", "20,d", "10,10=" + "*a" * 30)
        assert found(output) == 0
        _, output = await findscu(served, "-S", "8,52=STUDY", "20,d", "10,20=../P1")
        assert found(output) == 0 and "Success" in output

    serving(check, paper_archive(3))


def test_H23_cancel_ends_with_FE00() -> None:
    async def check(served: Served) -> None:
        _, output = await findscu(
            served, "-S", "8,52=IMAGE", f"20,d={STUDY}", f"20,e={STUDY}.1", "8,18", extra=("--cancel", "2")
        )
        assert "Cancel" in output
        assert 2 <= found(output) < 2000

    serving(check, paper_archive(2000), find_send_bytes=300)
