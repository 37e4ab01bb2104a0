"""What a user does first with an installed wheel, run outside the checkout by `.ci/run`."""

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pydicom
import trio

import engine
import filmroom

COMMAND = Path(sys.executable).with_name("filmroom")


def installed_from_the_wheel() -> None:
    """Nothing of the checkout is in sight, and the tests did not travel along."""
    checkout = Path(os.environ["FILMROOM_CHECKOUT"]).resolve()
    for module in (filmroom, engine):
        assert not Path(str(module.__file__)).resolve().is_relative_to(checkout), module.__file__
    paths = {str(path) for path in importlib.metadata.files("filmroom") or ()}
    assert "tests" not in {path.split("/")[0] for path in paths}
    assert "protocols/web/viewer/app-config.js" in paths


def command_line_answers() -> None:
    """`--help` names the commands."""
    text = subprocess.run([COMMAND, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
    assert "serve" in text and "import" in text, text


async def library_stores_and_finds() -> None:
    """The eight lines of the README."""
    sample = Path(str(pydicom.data.get_testdata_file("CT_small.dcm", download=False)))
    async with filmroom.open("memory://") as archive:
        stored = await archive.store(sample)
        assert stored.outcome == "new", stored
        studies = [match async for match in archive.find(PatientID="1CT1")]
        assert len(studies) == 1, studies


def server_is_healthy() -> None:
    """Starts on free ports, says where, is ready, and ends in order."""
    with tempfile.TemporaryDirectory() as folder:
        command = [COMMAND, "serve", folder, "--dimse-port", "0", "--http-port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            ready = next(line for line in server.stdout if line.startswith("ready "))
            found = re.search(r"http=(\S+)", ready)
            assert found is not None, ready
            with urllib.request.urlopen(f"http://{found[1]}/health/ready", timeout=30) as answer:
                assert json.load(answer)["ready"] is True
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0


installed_from_the_wheel()
command_line_answers()
trio.run(library_stores_and_finds)
server_is_healthy()
print("the wheel works")
