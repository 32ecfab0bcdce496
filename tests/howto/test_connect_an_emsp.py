"""The page is tried word by word: its commands are run as they stand, in one shell, on other ports."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.gateway import free_ports

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "connect-an-emsp.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Whatever was started in the background ends with the script.
_HEAD = "set -euo pipefail\ntrap 'jobs -p | xargs -r kill; wait' EXIT\n"


def script(ports: dict[str, int]) -> str:
    text = _HEAD + "\n".join(_BLOCK.findall(PAGE.read_text()))
    for written, free in ports.items():
        text = text.replace(written, str(free))
    # `up` alone needs to be told its ports.
    return text.replace("ocpi-gateway up", f"ocpi-gateway up --api-port {ports['8000']} --ocpp-port {ports['9000']}")


def test_an_emsp_is_connected_as_the_page_says(tmp_path: Path) -> None:
    ports = dict(zip(("8000", "9000", "9500"), free_ports(3), strict=True))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script(ports)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110
    )
    log = (tmp_path / "emsp.log").read_text() if (tmp_path / "emsp.log").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + log
    assert "registered as DE*EMS with NL*CPO CPO, by OCPI 2.2.1" in log
    assert "violates" not in log
    [location] = json.loads((tmp_path / "locations-seen.json").read_text())["data"]
    evse = json.loads((tmp_path / "evse-seen.json").read_text())["data"]
    assert (location["id"], location["evses"]) == ("LOC1", [evse])
    assert (evse["uid"], evse["status"]) == ("E1", "AVAILABLE")
    assert json.loads((tmp_path / "answer.json").read_text())["data"]["result"] == "ACCEPTED"
    status = json.loads((tmp_path / "status.json").read_text())["data"]
    assert (status["command"], status["results"][0]["result"]) == ("RESERVE_NOW", "ACCEPTED")
    assert '"uid":"04AABBCCDD"' in done.stdout
    assert "RESERVE_NOW" in done.stdout
    assert "is REMOVED now" in done.stdout


def test_the_page_names_every_step() -> None:
    titles = re.findall(r"^## (.*)$", PAGE.read_text(), re.MULTILINE)
    assert [title[0] for title in titles[:-1]] == ["1", "2", "3", "4", "5", "6", "7"]
