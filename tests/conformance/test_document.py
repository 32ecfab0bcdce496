"""The document of conformance says what the tests say."""

import re
from pathlib import Path

from tests.conformance.document import COMMAND, COMMITTED, document, requirements_in, shown, shown_requirements
from tests.conformance.reasons import REASONS
from tests.conformance.requirements import CSMS, REQUIREMENTS, STATION
from tests.conformance.rules import RULES

SIMULATORS = Path("tests/simulators")


def test_tests_name_rules_that_there_are():
    assert set(shown()) - set(RULES) == set()
    named = {name for name in shown_requirements() if ".FR." in name}
    assert named - set(REQUIREMENTS) == set()


def test_every_rule_is_shown_or_has_the_reason_why_it_is_not():
    assert set(RULES) == set(range(1, 242))
    assert set(RULES) - set(shown()) - set(REASONS) == set()
    assert set(REASONS) & set(shown()) == set()


def test_the_first_column_has_every_rule_once():
    numbers = re.findall(r"^\| (\d+) \|", COMMITTED.read_text(), re.MULTILINE)
    assert [int(one) for one in numbers] == list(range(1, 242))


def test_every_requirement_is_shown_for_each_that_it_binds():
    tests = shown_requirements()
    ours = {name for name, found in tests.items() if any(test.startswith("test_csms_") for _, test in found)}
    theirs = {name for name, found in tests.items() if any(file.parent == SIMULATORS for file, _ in found)}
    bound = {side: {name for name, each in REQUIREMENTS.items() if side in each.binds} for side in (CSMS, STATION)}
    assert (bound[CSMS] - ours, bound[STATION] - theirs) == (set(), set())


def test_a_name_tells_its_requirements():
    assert list(requirements_in("test_f01_fr_19_and_fr_25_the_next")) == ["F01.FR.19", "F01.FR.25"]
    assert list(requirements_in("test_csms_h01_fr_16_h02_fr_01_it")) == ["H01.FR.16", "H02.FR.01"]
    assert list(requirements_in("test_csms_f04_a_stop_ends_later")) == ["F04"]
    assert list(requirements_in("test_the_rest_of_them")) == []


def test_the_committed_document_is_the_one_that_the_tests_make():
    assert COMMITTED.read_text() == document(shown(), shown_requirements()), f"Write it anew: {COMMAND}"
