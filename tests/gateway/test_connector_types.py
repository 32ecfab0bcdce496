"""Connector types: every standard of OCPI has a word in every version of OCPP that has words for them."""

import pytest

from gateway.domain.connector_types import ocpp_connector_type
from ocpi.locations import ConnectorFormat, ConnectorType, PowerType
from ocpp_bridge.dialects import DIALECTS

SOCKET, CABLE = ConnectorFormat.SOCKET, ConnectorFormat.CABLE
ONE, THREE, DC = PowerType.AC_1_PHASE, PowerType.AC_3_PHASE, PowerType.DC
SMALL, LARGE = "Other1PhMax16A", "Other1PhOver16A"

#: The newest words, and those of 2.0.1 where it has no such word.
TABLE: list[tuple[str, ConnectorFormat, int, PowerType, str, str | None]] = [
    ("CHADEMO", CABLE, 125, DC, "cG105", None),
    ("CHAOJI", CABLE, 400, DC, "cChaoJi", "Unknown"),
    *((f"DOMESTIC_{each}", SOCKET, 16, ONE, SMALL, None) for each in "ABCDHIJKLMNO"),
    *((f"DOMESTIC_{each}", SOCKET, 20, ONE, LARGE, None) for each in "ABCDHIJKLMNO"),
    ("DOMESTIC_E", SOCKET, 16, ONE, "sCEE-7-7", None),
    ("DOMESTIC_F", SOCKET, 16, ONE, "sCEE-7-7", None),
    ("DOMESTIC_G", SOCKET, 13, ONE, "sBS1361", None),
    ("GBT_AC", SOCKET, 16, ONE, SMALL, None),
    ("GBT_AC", CABLE, 32, ONE, LARGE, None),
    ("GBT_AC", CABLE, 63, THREE, "Other3Ph", None),
    ("GBT_DC", CABLE, 250, DC, "cGBT-DC", "Unknown"),
    ("IEC_60309_2_single_16", SOCKET, 16, ONE, "s309-1P-16A", None),
    ("IEC_60309_2_single_16", SOCKET, 32, ONE, "s309-1P-32A", None),
    ("IEC_60309_2_three_16", SOCKET, 16, THREE, "s309-3P-16A", None),
    ("IEC_60309_2_three_32", SOCKET, 32, THREE, "s309-3P-32A", None),
    ("IEC_60309_2_three_64", SOCKET, 64, THREE, "Other3Ph", None),
    ("IEC_62196_T1", CABLE, 32, ONE, "cType1", None),
    ("IEC_62196_T1", SOCKET, 16, ONE, "sType1", SMALL),
    ("IEC_62196_T1", SOCKET, 32, ONE, "sType1", LARGE),
    ("IEC_62196_T1_COMBO", CABLE, 200, DC, "cCCS1", None),
    ("IEC_62196_T2", CABLE, 32, THREE, "cType2", None),
    ("IEC_62196_T2", SOCKET, 32, THREE, "sType2", None),
    ("IEC_62196_T2_COMBO", CABLE, 500, DC, "cCCS2", None),
    ("IEC_62196_T3A", SOCKET, 16, ONE, "sType3", None),
    ("IEC_62196_T3C", SOCKET, 32, THREE, "sType3", None),
    ("NEMA_5_20", SOCKET, 20, ONE, SMALL, None),
    ("NEMA_6_30", SOCKET, 30, ONE, LARGE, None),
    ("NEMA_6_50", SOCKET, 50, ONE, LARGE, None),
    ("NEMA_10_30", SOCKET, 30, ONE, LARGE, None),
    ("NEMA_10_50", SOCKET, 50, PowerType.AC_2_PHASE_SPLIT, LARGE, None),
    ("NEMA_14_30", SOCKET, 30, PowerType.AC_2_PHASE_SPLIT, "Other3Ph", None),
    ("NEMA_14_50", SOCKET, 50, PowerType.AC_2_PHASE, "Other3Ph", None),
    ("PANTOGRAPH_BOTTOM_UP", CABLE, 600, DC, "Pan", None),
    ("PANTOGRAPH_TOP_DOWN", CABLE, 600, DC, "Pan", None),
    ("TESLA_R", CABLE, 70, ONE, "cTesla", None),
    ("TESLA_S", CABLE, 300, DC, "cTesla", None),
]
WORDS_OF_2_0_1 = DIALECTS["ocpp2.0.1"].connector_types


@pytest.mark.parametrize(("standard", "format_", "ampere", "power", "newest", "older"), TABLE)
def test_a_standard_and_a_format_are_one_type_at_the_station(
    standard: str, format_: ConnectorFormat, ampere: int, power: PowerType, newest: str, older: str | None
) -> None:
    of = ConnectorType(standard)
    assert ocpp_connector_type(of, format_, ampere, power) == newest
    assert ocpp_connector_type(of, format_, ampere, power, WORDS_OF_2_0_1) == (older or newest)


def test_the_table_has_every_standard() -> None:
    assert {row[0] for row in TABLE} == set(ConnectorType)


@pytest.mark.parametrize("format_", ConnectorFormat)
@pytest.mark.parametrize("power", PowerType)
@pytest.mark.parametrize("standard", ConnectorType)
def test_2_0_1_is_never_told_a_word_that_it_does_not_have(
    standard: ConnectorType, power: PowerType, format_: ConnectorFormat
) -> None:
    assert WORDS_OF_2_0_1 is not None
    assert {ocpp_connector_type(standard, format_, ampere, power, WORDS_OF_2_0_1) for ampere in (6, 16, 32, 400)} <= (
        WORDS_OF_2_0_1
    )
