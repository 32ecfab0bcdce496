"""The supervisor, with small real programs for children."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from workers.lock import Held, hold
from workers.supervisor import port_problem

#: Far longer than anything here takes, even on a busy machine.
LONG = 60.0

#: What the supervising program runs, after the list of children was put in.
PROGRAM = """
import sys
from pathlib import Path
from workers.supervisor import Child, Supervisor
here = Path(sys.argv[1])
python = sys.executable
def told(name):
    return lambda: (here / name).exists()
def script(file, *words):
    import runpy
    def run():
        sys.argv = [file, *map(str, words)]
        runpy.run_path(str(here / file), run_name="__main__")
    return run
children = [{children}]
sys.exit(Supervisor(children, here / "run", pauses=(0.05, 0.05, 0.1, 0.1, 0.2), grace={grace}).run())
"""

#: A child that writes down when it starts and when it is asked to stop.
POLITE = """
import signal, sys, time
name, journal = sys.argv[1:]
def note(word):
    with open(journal, "a") as file:
        file.write(f"{name} {word}\\n")
def stop(*_):
    note("stops")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
note("starts")
while True:
    time.sleep(0.05)
"""
#: A child that does not hear SIGTERM, and has a child of its own.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    open(sys.argv[1] + "/grandchild", "w").write(str(os.getpid()))
else:
    open(sys.argv[1] + "/stubborn", "w").write(str(os.getpid()))
while True:
    time.sleep(0.05)
"""


class House:
    """A directory, and the supervising programs that were started on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.programs: list[subprocess.Popen[bytes]] = []
        (path / "polite.py").write_text(POLITE)
        (path / "stubborn.py").write_text(STUBBORN)

    def start(self, *children: str, grace: float = LONG) -> subprocess.Popen[bytes]:
        text = PROGRAM.format(children=", ".join(children), grace=grace)
        with (self.path / "output").open("a") as output:
            program = subprocess.Popen(
                [sys.executable, "-c", text, str(self.path)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
        self.programs.append(program)
        return program

    def polite(self, name: str, more: str = "") -> str:
        return f"Child({name!r}, [python, str(here / 'polite.py'), {name!r}, str(here / 'journal')], {more})"

    def pid(self, name: str) -> int:
        text = self.read(f"run/{name}.pid").strip()
        return int(text) if text else 0

    def read(self, name: str) -> str:
        file = self.path / name
        return file.read_text() if file.exists() else ""

    def journal(self) -> list[str]:
        return self.read("journal").splitlines()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    for program in house.programs:
        program.kill()
        program.wait()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.fixture(params=["a program", "a fork"])
def stubborn(request: pytest.FixtureRequest) -> str:
    """A child that has to be killed."""
    if request.param == "a fork":
        return "Child('stubborn', [], run=script('stubborn.py', here))"
    return "Child('stubborn', [python, str(here / 'stubborn.py'), str(here)])"


@pytest.fixture(params=["a program", "a fork"])
def polite(request: pytest.FixtureRequest) -> Callable[..., str]:
    """A child that stops when it is asked to, by its name."""

    def child(name: str, more: str = "") -> str:
        if request.param == "a fork":
            return f"Child({name!r}, [], run=script('polite.py', {name!r}, here / 'journal'), {more})"
        return f"Child({name!r}, [python, str(here / 'polite.py'), {name!r}, str(here / 'journal')], {more})"

    return child


def gone(pid: int) -> bool:
    """Dead, if perhaps not yet buried."""
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    return True


def test_what_the_others_lean_on_is_ready_before_they_start(house: House) -> None:
    house.start(house.polite("first", "ready=told('ready'), stop_after_others=True"), house.polite("second"))
    until(lambda: house.journal() == ["first starts"])
    time.sleep(0.2)
    assert house.journal() == ["first starts"]
    (house.path / "ready").touch()
    until(lambda: house.journal() == ["first starts", "second starts"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_and_those_the_others_lean_on_last(
    house: House, polite: Callable[..., str], number: signal.Signals
) -> None:
    program = house.start(polite("store", "stop_after_others=True"), polite("api"))
    until(lambda: len(house.journal()) == 2)
    program.send_signal(number)
    assert program.wait(LONG) == 0
    assert house.journal()[2:] == ["api stops", "store stops"]
    assert not list((house.path / "run").glob("[as]*i.pid"))


def test_a_child_that_was_killed_is_started_again_under_a_new_id(house: House, polite: Callable[..., str]) -> None:
    house.start(polite("api"))
    until(lambda: len(house.journal()) == 1 and house.pid("api"))
    first = house.pid("api")
    os.kill(first, signal.SIGKILL)
    until(lambda: len(house.journal()) == 2 and house.pid("api") not in (0, first))
    assert "api stopped (signal 9); starting it again in 0.05 s." in house.read("output")


def test_a_crash_loop_is_said_once_and_tried_on(house: House) -> None:
    program = house.start(
        "Child('api', [python, '-c', 'import sys; sys.exit(3)'], hint='See the log.')", house.polite("worker")
    )
    until(lambda: house.read("output").count("exit status 3") > 6)
    assert house.read("output").count("api keeps stopping (exit status 3)") == 1
    assert "more and more slowly. See the log.\n" in house.read("output")
    program.terminate()
    assert program.wait(LONG) == 0


def test_a_program_that_does_not_exist_is_a_sentence(house: House) -> None:
    house.start("Child('api', ['/nonexistent/program'])")
    until(lambda: "/nonexistent/program cannot be started: No such file or directory." in house.read("output"))


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("sys.exit('There is no room.')", "There is no room.\n"),
        ("sys.exit(3)", "fork stopped (exit status 3)"),
        ("1 / 0", "ZeroDivisionError"),
        ("os._exit(4)", "fork stopped (exit status 4)"),
        ("None", "fork stopped (exit status 0)"),
    ],
)
def test_a_fork_ends_as_a_program_does(house: House, ends: str, told: str) -> None:
    (house.path / "ends.py").write_text(f"import os, sys\n{ends}\n")
    house.start("Child('fork', [], run=script('ends.py'))")
    until(lambda: told in house.read("output"))
    until(lambda: "fork stopped" in house.read("output"))


def test_a_fork_has_a_session_and_a_name_of_its_own_and_nothing_open_but_the_lock(house: House) -> None:
    (house.path / "look.py").write_text(
        "import os, pathlib\n"
        "links = [pathlib.Path('/proc/self/fd', name) for name in os.listdir('/proc/self/fd')]\n"
        "files = [one.resolve().name for one in links if one.exists()]\n"
        "print('open', sorted(name for name in files if name != 'output'))\n"
        "print('leads', os.getsid(0) == os.getpid(), open('/proc/self/comm').read(), flush=True)\n"
    )
    house.start("Child('a-long-name-for-it', [], run=script('look.py'))")
    until(lambda: "leads True a-long-name-for\n" in house.read("output"))
    [opened] = {line for line in house.read("output").splitlines() if line.startswith("open")}
    assert opened == "open ['null', 'supervisor.pid']"


def test_a_child_sees_what_is_added_to_the_environment(house: House) -> None:
    house.start("Child('api', [python, '-c', 'import os; print(os.environ[\"COLOUR\"])'], env={'COLOUR': 'green'})")
    until(lambda: "green" in house.read("output"))


def test_who_does_not_stop_in_time_is_killed_with_all_it_forked(house: House, stubborn: str) -> None:
    program = house.start(stubborn, grace=0.2)
    until(lambda: house.read("grandchild") and house.read("stubborn"))
    program.terminate()
    assert program.wait(LONG) == 0
    assert gone(int(house.read("stubborn")))
    until(lambda: gone(int(house.read("grandchild"))))


def test_a_second_signal_hurries(house: House) -> None:
    program = house.start("Child('stubborn', [python, str(here / 'stubborn.py'), str(here)])", grace=1000.0)
    until(lambda: house.read("stubborn"))
    program.terminate()
    time.sleep(0.2)
    assert program.poll() is None
    program.terminate()
    assert program.wait(LONG) == 0


def test_children_die_with_a_supervisor_that_is_killed(house: House, polite: Callable[..., str], stubborn: str) -> None:
    program = house.start(polite("api"), stubborn)
    until(lambda: house.journal() and house.read("stubborn") and house.pid("api") and house.pid("stubborn"))
    until(lambda: house.read("grandchild"))
    pids = house.pid("api"), house.pid("stubborn")
    program.kill()
    program.wait()
    until(lambda: all(map(gone, pids)))
    os.kill(int(house.read("grandchild")), signal.SIGKILL)


def test_a_second_supervisor_on_the_same_directory_is_told_in_one_sentence(house: House) -> None:
    first = house.start(house.polite("api"))
    until(house.journal)
    second = house.start(house.polite("api"))
    assert second.wait(LONG) == 1
    assert f"Another gateway uses this data directory: process {first.pid} holds" in house.read("output")
    assert house.journal() == ["api starts"]


def test_the_directory_is_free_again_after_a_kill(house: House) -> None:
    first = house.start(house.polite("api"))
    until(house.journal)
    first.kill()
    first.wait()
    house.start(house.polite("api"))
    until(lambda: house.journal() == ["api starts", "api starts"])


def test_a_stop_while_starting_is_a_stop(house: House) -> None:
    program = house.start(house.polite("first", "ready=lambda: 1 / 0, stop_after_others=True"), house.polite("second"))
    until(house.journal)
    program.terminate()
    assert program.wait(LONG) == 0
    assert house.journal() == ["first starts", "first stops"]


def test_the_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    with hold(tmp_path / "lock"), pytest.raises(Held, match=str(os.getpid())), hold(tmp_path / "lock"):
        pass
    with hold(tmp_path / "lock"):
        pass


def test_a_port_in_use_is_told_in_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert port_problem("127.0.0.1", port) == f"Port {port} on 127.0.0.1 cannot be used: address already in use."
        assert port_problem("0.0.0.0", port)
    assert port_problem("127.0.0.1", port) is None


def test_a_port_whose_listener_is_just_leaving_is_waited_for() -> None:
    other = socket.create_server(("127.0.0.1", 0))
    leaving = threading.Timer(0.3, other.close)
    leaving.start()
    assert port_problem("127.0.0.1", other.getsockname()[1], LONG) is None
    leaving.join()


def test_a_host_or_port_that_cannot_be_is_told_in_one_sentence() -> None:
    assert port_problem("127.0.0.1", 0) is None
    assert port_problem("127.0.0.1", 70000) == "There is no port 70000."
    assert "cannot be used" in (port_problem("192.0.2.1", 8000) or "")
    assert "cannot be used" in (port_problem("no such host", 8000) or "")
