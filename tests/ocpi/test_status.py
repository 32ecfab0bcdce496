"""Status codes and the errors that carry them."""

import re

import pytest

from ocpi import status
from ocpi.status import OcpiError, StatusCode, UnknownLocation


def every_error(error: type[OcpiError] = OcpiError) -> list[type[OcpiError]]:
    return [deeper for each in error.__subclasses__() for deeper in [each, *every_error(each)]]


def test_the_tree_in_the_files_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"^ +(\w+) +(\d{4})$", status.__doc__ or "", re.MULTILINE))
    assert drawn == {error.__name__: str(int(error.status_code)) for error in every_error()}


def test_every_code_that_is_not_success_or_a_hubs_has_its_error() -> None:
    carried = [error.status_code for error in every_error()]
    assert sorted(carried) == [code for code in StatusCode if 2000 <= code < 4000]


def test_rule_60_no_code_is_from_a_custom_range() -> None:
    assert not [code for code in StatusCode if code % 1000 >= 900]


def test_rule_70_the_four_codes_of_hubs_are_known() -> None:
    assert [int(code) for code in StatusCode if code >= 4000] == [4000, 4001, 4002, 4003]


@pytest.mark.parametrize("error", every_error())
def test_an_error_says_its_docstring_unless_told_otherwise(error: type[OcpiError]) -> None:
    assert str(error()) == error.__doc__
    assert str(error("Missing: token")) == "Missing: token"
    assert error().data is None


def test_rule_65_an_error_may_bring_data_along() -> None:
    error = UnknownLocation(data={"result": "REJECTED", "timeout": 0})
    assert (error.status_code, str(error)) == (2003, "Unknown location.")
    assert error.data == {"result": "REJECTED", "timeout": 0}
