"""What stations measure, as they write it, read exactly."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.events import READINGS, Phase, Reading, Signed, TransactionChanged
from ocpp_bridge.samples import readings

NOON = datetime(2026, 1, 1, tzinfo=UTC)


def at(time, *samples):
    return {"timestamp": time, "sampledValue": list(samples)}


def of(phase, value, **more):
    return {"value": value, "measurand": "Energy.Active.Import.Register", "phase": phase, **more}


def register_wh(meter_values):
    return TransactionChanged(
        phase=Phase.UPDATED, transaction_id="1", at=None, readings=readings(meter_values)
    ).register_wh


def read(*samples):
    """The one reading of one moment."""
    [reading] = readings([at("2026-01-01T00:00:00Z", *samples)])
    return reading


EXPORT = {"value": "9", "measurand": "Energy.Active.Export.Register"}


@pytest.mark.parametrize(
    ("samples", "wh"),
    [
        ([], None),
        ([{"value": "1234.5"}], "1234.5"),
        ([{"value": 1234.5}], "1234.5"),
        ([{"value": 0.1}], "0.1"),
        ([{"value": "0.1", "unit": "kWh"}], "100.0"),
        ([{"value": 1234567.891, "unit": "KWH"}], "1234567891.000"),
        ([{"value": "123456789012.123456789012"}], "123456789012.123456789012"),
        ([{"value": "1500", "unit": "wh"}], "1500"),
        ([{"value": "1500", "measurand": "energy.active.import.register"}], "1500"),
        ([{"value": 1.5, "unitOfMeasure": {"unit": "kWh"}}], "1500"),
        ([{"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}}], "1500"),
        ([{"value": 15, "unitOfMeasure": {"unit": "kWh", "multiplier": -1}}], "1500"),
        ([{"value": 15, "unitOfMeasure": {"multiplier": None}}], "15"),
        # Not knowing the power of ten is not knowing the value.
        ([{"value": 15, "unitOfMeasure": {"multiplier": "x"}}], None),
        ([{"value": 15, "unitOfMeasure": {"multiplier": 400}}], None),
        ([{"value": 3, "unitOfMeasure": {"unit": "furlong"}}], None),
        ([EXPORT], None),
        ([EXPORT, {"value": "7"}], "7"),
        ([{"value": "12345678", "format": "SignedData"}], None),
        ([{"value": "77", "format": "SignedData"}, {"value": "7"}], "7"),
        ([{"signedMeterValue": {"signedMeterData": "x"}}], None),
        ([of("L1", "0.1"), of("L2", "0.2"), of("L3", "0.3")], "0.6"),
        ([of("L1-N", "1"), of("L2-N", "2")], "3"),
        # One phase under two names counts once.
        ([of("L1", "1"), of("L1-N", "1"), of("L2", "2")], "3"),
        ([of("L1", "1"), {"value": "9"}, of("L2", "2")], "9"),
        ([of("L1", "1", unit="kWh"), of("L2", "2")], "1002"),
        ([of("N", "1"), of("L1-L2", "2")], None),
        ([{"value": "5", "location": "Inlet"}, {"value": "4", "location": "Outlet"}], "4"),
        ([{"value": "5", "location": "Inlet"}], "5"),
        ([of("L1", "5", location="Inlet"), of("L2", "4", location="Body")], "5"),
        ([{"value": raw} for raw in ("NaN", "sNaN", "Infinity", "-1", "1e308", "9e99999999", "9e-99999999")], None),
        ([{"value": "1e15", "unit": "kWh"}], None),
        ([of("L1", "1e308"), of("L2", "1e308")], None),
        ([{"value": None}, {"value": True}, {"value": "much"}, {"value": [1]}, {"value": "9" * 600}], None),
        # Some stations tell the beginning and the end under one time, in this order.
        ([{"value": "1", "context": "Transaction.Begin"}, {"value": "2", "context": "Transaction.End"}], "2"),
    ],
)
def test_a_moment_s_register_is_read_in_watt_hours(samples, wh):
    read_wh = register_wh([at("2026-01-01T00:00:00Z", *samples)])
    assert read_wh == (wh and Decimal(wh))


def test_the_newest_register_counts_not_the_last_written():
    values = [
        at("2026-01-01T00:02:00Z", {"value": "2"}),
        at("2026-01-01T02:01:00+02:00", {"value": "1"}),
        at("2026-01-01T00:03:00Z", EXPORT),
        at("garbage", {"value": "8"}),
    ]
    assert register_wh(values) == 2
    assert [reading.register_wh for reading in readings(values)] == [8, 1, 2]


def test_of_two_registers_of_one_time_the_last_written_counts():
    assert register_wh([at("now", {"value": "1"}), at("now", {"value": "2"})]) == 2


def test_a_moment_tells_all_that_was_measured():
    assert read(
        {"value": "1.5", "unit": "kWh", "context": "sample.clock"},
        {"value": "250", "measurand": "Energy.Active.Import.Interval", "unit": "Wh", "context": "Sample.Clock"},
        {"value": "11.04", "measurand": "Power.Active.Import", "unit": "kW", "context": "Sample.Clock"},
        *(
            {"value": "16", "measurand": "Current.Import", "unit": "A", "phase": phase, "context": "Sample.Clock"}
            for phase in ("L1", "L2", "L3")
        ),
        {"value": "80", "measurand": "SoC", "unit": "Percent", "location": "EV", "context": "Sample.Clock"},
        {"value": "230", "measurand": "Voltage", "unit": "V", "context": "Sample.Clock"},
    ) == Reading(
        at=NOON,
        register_wh=Decimal(1500),
        interval_wh=Decimal(250),
        power_w=Decimal(11040),
        current_a=Decimal(48),
        soc=Decimal(80),
        context="Sample.Clock",
    )


@pytest.mark.parametrize("percent", ["101", "-1", "NaN"])
def test_a_state_of_charge_that_cannot_be_is_none(percent):
    assert readings([at("2026-01-01T00:00:00Z", {"value": percent, "measurand": "SoC"})]) == ()


def test_each_context_of_a_moment_is_a_reading():
    told = readings(
        [
            at(
                "2026-01-01T00:00:00Z",
                {"value": "1", "context": "Transaction.Begin"},
                {"value": "2", "context": "Transaction.End"},
                {"value": "7", "measurand": "Power.Active.Import", "context": "Transaction.End"},
            )
        ]
    )
    assert [(one.context, one.register_wh, one.power_w) for one in told] == [
        ("Transaction.Begin", 1, None),
        ("Transaction.End", 2, 7),
    ]


def test_a_signed_value_of_1_6_is_kept_verbatim_however_long():
    data = "OCMF|" + " aB3=" * 500
    reading = read({"value": data, "format": "SignedData"}, {"value": "7"})
    assert (reading.register_wh, reading.signed) == (7, Signed(data=data))


def test_a_signed_value_of_2_x_is_kept_beside_its_number():
    signed = {"signedMeterData": "Zm9v", "signingMethod": "ECDSA", "encodingMethod": "OCMF", "publicKey": "a2V5"}
    reading = read({"value": 7, "signedMeterValue": signed})
    assert reading.register_wh == 7
    assert reading.signed == Signed(data="Zm9v", encoding="OCMF", method="ECDSA", public_key="a2V5")


def test_of_several_signed_values_the_register_s_is_kept():
    samples = [
        {"value": "a", "format": "SignedData", "measurand": "Power.Active.Import"},
        {"value": "b", "format": "SignedData"},
    ]
    assert read(*samples).signed == Signed(data="b")
    assert read(samples[0]).signed == Signed(data="a")


@pytest.mark.parametrize("data", [None, 7, "", "a\0b", "x" * 2**17, ["x"]])
def test_a_signed_value_that_cannot_be_kept_whole_is_none(data):
    assert readings([at("now", {"value": data, "format": "SignedData"})]) == ()
    assert read({"value": 1, "signedMeterValue": {"signedMeterData": data}}).signed is None


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats()
    | st.text(max_size=20)
    | st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(e-?[0-9]{1,12})?", fullmatch=True)
)
SAMPLE = st.fixed_dictionaries(
    {"value": ANYTHING},
    optional={
        "measurand": st.sampled_from(["SoC", "Power.Active.Import", "Current.Import", "Energy.Active.Import.Interval"]),
        "unit": st.sampled_from(["kWh", "kW", "A", "Percent"]) | ANYTHING,
        "phase": st.sampled_from(["L1", "L2-N"]) | ANYTHING,
        "unitOfMeasure": st.fixed_dictionaries({"multiplier": ANYTHING}) | ANYTHING,
        "location": ANYTHING,
        "context": ANYTHING,
        "format": ANYTHING,
        "signedMeterValue": ANYTHING,
    },
)


@given(samples=st.lists(SAMPLE, max_size=4))
def test_whatever_is_told_is_read_or_left_out_and_can_be_written_down(samples):
    told = readings([at("2026-01-01T00:00:00Z", *samples)])
    assert READINGS.validate_json(READINGS.dump_json(told)) == told
    assert all(one.register_wh is None or one.register_wh >= 0 for one in told)


NUMBERS = st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=0, max_value=10**12)
READING = st.builds(
    Reading,
    at=st.none() | st.datetimes(timezones=st.just(UTC)),
    register_wh=NUMBERS,
    interval_wh=NUMBERS,
    power_w=NUMBERS,
    current_a=NUMBERS,
    soc=NUMBERS,
    context=st.text(),
    signed=st.none() | st.builds(Signed, data=st.text(), encoding=st.text(), method=st.text(), public_key=st.text()),
)


@given(told=st.lists(READING, max_size=3).map(tuple))
def test_what_is_written_down_is_read_again_exactly(told):
    written = READINGS.dump_python(told, mode="json")
    assert READINGS.validate_python(written) == told
    assert READINGS.validate_json(READINGS.dump_json(told)) == told
    assert all(isinstance(one["register_wh"], str | None) for one in written)
