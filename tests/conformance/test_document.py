"""The document of conformance says what the tests say."""

from tests.conformance.document import COMMAND, COMMITTED, document, shown
from tests.conformance.rules import RULES

#: The Commands module's rules. Not among them yet: 141 (we cancel), 145 (after the window), 150 and 151 (what follows).
COMMANDS = {*range(119, 141), *range(142, 145), *range(146, 150), *range(152, 172)}


def test_tests_name_rules_that_there_are():
    assert set(shown()) - set(RULES) == set()


def test_every_rule_of_the_commands_module_is_shown():
    assert COMMANDS - set(shown()) == set()


def test_the_committed_document_is_the_one_that_the_tests_make():
    assert COMMITTED.read_text() == document(shown()), f"Write it anew: {COMMAND}"
