"""Every JSON example of the specification is read by its model, and written again as it was."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ocpi.credentials import Credentials
from ocpi.dialect import Dialect
from ocpi.dialects import DIALECTS
from ocpi.envelope import Envelope
from ocpi.locations import EnergyMix, Hours, Location
from ocpi.types import DisplayText, format_datetime, parse_datetime
from ocpi.versions import Version, VersionDetails
from tests.ocpi.vectors import all_specified, specified

#: How an example is read; a change is read as the object that it makes of another example.
Reader = Callable[[Dialect, Any], Any]

_WHOLE_TOKEN = "token_put_example"
_WHOLE_SESSION = "session_example_1_simple_start"
_WHOLE_LOCATION = "location_example"

#: The first word that a name begins with counts.
READERS: dict[str, Reader] = {
    "credentials_example": lambda _, told: Credentials.model_validate(told).wire(),
    "versions_info_example": lambda _, told: _list(Version, told),
    "version_details_example": lambda _, told: VersionDetails.model_validate(told).wire(),
    "transport_and_format_version_info_example": lambda _, told: (
        Envelope[tuple[Version, ...]].model_validate(told).wire()
    ),
    "transport_and_format_version_details_example": lambda _, told: (
        Envelope[VersionDetails].model_validate(told).wire()
    ),
    "transport_and_format_get_token_list_example": lambda d, told: _envelope(tuple[d.token, ...], told),  # type: ignore[name-defined]
    "transport_and_format_get_token_example": lambda d, told: _envelope(d.token, told),
    "token_patch_example": lambda d, told: _patched(d, _WHOLE_TOKEN, d.token, told),
    "token_": lambda d, told: d.token.model_validate(told).wire(),
    "session_patch_example": lambda d, told: _patched(d, _WHOLE_SESSION, d.session, told),
    "session_example": lambda d, told: d.session.model_validate(told).wire(),
    "location_energymix_example": lambda _, told: {"energy_mix": EnergyMix.model_validate(told["energy_mix"]).wire()},
    "location_hours": lambda _, told: Hours.model_validate(told).wire(),
    "location_regularhours_example": lambda _, told: {
        "opening_times": Hours.model_validate(told["opening_times"]).wire()
    },
    "location_put_example_add_evse": lambda d, told: _evse(d, told),
    "location_patch_example_tariff": lambda d, told: _changed_evse(d, told, "connectors"),
    "location_patch_example_location": lambda d, told: _patched_location(d, told),
    "location_patch_example": lambda d, told: _changed_evse(d, told),
    "location_example": lambda d, told: d.render_location(Location.model_validate(told)),
    "type_displaytext_example": lambda _, told: DisplayText.model_validate(told).wire(),
}

#: What is so wrong with an example that it cannot be read: (the sentence, what is wrong by field).
UNREADABLE = {
    "location_put_example_add_evse": (
        "An EVSE whose physical_reference is a number, and whose Connector lacks four required fields.",
        {
            "evses.0.physical_reference": "string_type",
            "evses.0.connectors.0.power_type": "missing",
            "evses.0.connectors.0.max_voltage": "missing",
            "evses.0.connectors.0.max_amperage": "missing",
            "evses.0.connectors.0.last_updated": "missing",
        },
    )
}

#: What is wrong with an example, none of which keeps it from being read.
FLAWS = {
    "version_details_example": "In 2.2.1 it says that it is of version 2.2.",
    "version_details_example2": "Likewise; and credentials have the role RECEIVER, which has no meaning.",
    "transport_and_format_version_details_example": "In 2.2.1 it says that it is of version 2.2.",
    "session_example_2_short_finished": "Its volumes of ENERGY are Wh; the specification says kWh.",
    "session_patch_example_charging_period": "Likewise.",
}


@pytest.mark.parametrize(("version", "name"), all_specified())
def test_an_example_is_read_and_written_as_it_was(version: str, name: str) -> None:
    told = specified(version, name)
    reader = next((read for prefix, read in READERS.items() if name.startswith(prefix)), None)
    assert reader is not None, f"nothing reads {name}"
    if name in UNREADABLE:
        with pytest.raises(ValidationError) as refused:
            reader(DIALECTS[version], told)
        found = {".".join(map(str, one["loc"])): one["type"] for one in refused.value.errors()}
        assert found.items() >= UNREADABLE[name][1].items()
        return
    assert _plain(reader(DIALECTS[version], told)) == _plain(told)


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("name", FLAWS)
def test_the_flaws_are_those_that_are_listed(version: str, name: str) -> None:
    """Should the specification mend one, it is no flaw any more."""
    told = specified(version, name)
    details = told.get("data", told)
    match name.partition("_example")[0]:
        case "version_details" | "transport_and_format_version_details":
            roles = {one["role"] for one in details["endpoints"] if one["identifier"] == "credentials"}
            assert (details["version"] != version) is (version == "2.2.1") or "RECEIVER" in roles
        case _:
            volumes = [each["volume"] for one in told["charging_periods"] for each in one["dimensions"]]
            assert max(volumes) >= 120


def _list(model: Any, told: list[Any]) -> list[Any]:
    return [model.model_validate(one).wire() for one in told]


def _envelope(data: Any, told: Any) -> Any:
    return TypeAdapter(Envelope[data]).validate_python(told).wire()


def _patched(dialect: Dialect, whole: str, model: Any, told: dict[str, Any]) -> dict[str, Any]:
    """The fields that the change names, of the object with it."""
    made = model.model_validate(specified(dialect.version, whole) | told).wire()
    return {name: made[name] for name in told}


def _patched_location(dialect: Dialect, told: dict[str, Any]) -> dict[str, Any]:
    whole = specified(dialect.version, _WHOLE_LOCATION)
    made = dialect.render_location(Location.model_validate(whole | told))
    return {name: made[name] for name in told}


def _evse(dialect: Dialect, told: dict[str, Any]) -> dict[str, Any]:
    """As one of a Location that has no other."""
    whole = specified(dialect.version, _WHOLE_LOCATION)
    return dict(dialect.render_location(Location.model_validate(whole | {"evses": [told]}))["evses"][0])


def _changed_evse(dialect: Dialect, told: dict[str, Any], within: str = "") -> dict[str, Any]:
    """A change of an EVSE of the Location, or of the first of what is ``within`` it."""
    evse = specified(dialect.version, _WHOLE_LOCATION)["evses"][0]
    made = _evse(dialect, evse | ({within: [evse[within][0] | told]} if within else told))
    return {name: (made[within][0] if within else made)[name] for name in told}


def _plain(value: Any) -> Any:
    """What says nothing left out, moments in one spelling."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one not in (None, [])}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        try:
            return format_datetime(parse_datetime(value))
        except ValueError:
            return value
    return value
