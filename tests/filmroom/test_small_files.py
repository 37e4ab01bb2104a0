"""Small files are replaced as a whole, whoever else replaces them at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filmroom.small_files import replace_durably


def test_writers_at_the_same_time_leave_one_of_their_files_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "small.json"
    said = [b"%d" % number * 1000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            list(threads.map(lambda data: replace_durably(file, data), said))
            assert file.read_bytes() in said
    assert list(tmp_path.iterdir()) == [file]
