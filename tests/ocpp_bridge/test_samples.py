"""The energy register, as stations write it."""

import pytest

from ocpp_bridge.samples import register_wh


def at(time, *samples):
    return {"timestamp": time, "sampledValue": list(samples)}


def of(phase, value, **more):
    return {"value": value, "measurand": "Energy.Active.Import.Register", "phase": phase, **more}


EXPORT = {"value": "9", "measurand": "Energy.Active.Export.Register"}


@pytest.mark.parametrize(
    ("samples", "wh"),
    [
        ([], None),
        ([{"value": "1234.5"}], 1234.5),
        ([{"value": 1234.5}], 1234.5),
        ([{"value": "1.5", "unit": "kWh"}], 1500.0),
        ([{"value": "1500", "unit": "wh"}], 1500.0),
        ([{"value": 1.5, "unitOfMeasure": {"unit": "kWh"}}], 1500.0),
        ([{"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}}], 1500.0),
        ([{"value": 15, "unitOfMeasure": {"unit": "kWh", "multiplier": -1}}], 1500.0),
        ([{"value": 15, "unitOfMeasure": {"multiplier": "x"}}], 15.0),
        ([{"value": 15, "unitOfMeasure": {"multiplier": 400}}], 15.0),
        ([{"value": 3, "unitOfMeasure": {"unit": "furlong"}}], None),
        ([EXPORT], None),
        ([EXPORT, {"value": "7"}], 7.0),
        ([{"value": "MIGH", "format": "SignedData"}], None),
        ([{"value": "77", "format": "SignedData"}, {"value": "7"}], 7.0),
        ([{"signedMeterValue": {"signedMeterData": "x"}}], None),
        ([of("L1", "1"), of("L2", "2"), of("L3", "3")], 6.0),
        ([of("L1-N", "1"), of("L2-N", "2")], 3.0),
        ([of("L1", "1"), {"value": "9"}, of("L2", "2")], 9.0),
        ([of("N", "1"), of("L1-L2", "2")], None),
        ([{"value": "5", "location": "Inlet"}, {"value": "4", "location": "Outlet"}], 4.0),
        ([{"value": "5", "location": "Inlet"}], 5.0),
        ([{"value": "NaN"}], None),
        ([{"value": "Infinity"}], None),
        ([{"value": "1e308", "unit": "kWh"}], None),
        ([of("L1", "1e308"), of("L2", "1e308")], None),
        ([{"value": None}, {"value": True}, {"value": "much"}], None),
        # Some stations tell the beginning and the end under one time, in this order.
        ([{"value": "1", "context": "Transaction.Begin"}, {"value": "2", "context": "Transaction.End"}], 2.0),
    ],
)
def test_a_moment_s_register_is_read_in_watt_hours(samples, wh):
    assert register_wh([at("2026-01-01T00:00:00Z", *samples)]) == wh


def test_the_newest_register_counts_not_the_last_written():
    values = [
        at("2026-01-01T00:02:00Z", {"value": "2"}),
        at("2026-01-01T02:01:00+02:00", {"value": "1"}),
        at("2026-01-01T00:03:00Z", EXPORT),
        at("garbage", {"value": "8"}),
    ]
    assert register_wh(values) == 2.0


def test_of_two_registers_of_one_time_the_last_written_counts():
    assert register_wh([at("now", {"value": "1"}), at("now", {"value": "2"})]) == 2.0
