"""What OCPP 2.x calls the connectors of OCPI: a standard and a format are one ConnectorEnumType."""

from collections.abc import Collection, Mapping

from ocpi.locations import ConnectorFormat, ConnectorType, PowerType

#: Where the word is the same for sockets and cables, or one of the two is not made. 2.x §ConnectorEnumType names the
#: plugs that its Other… types stand for. (Of IEC 60309, OCPI has no single phase of more than 16 A, and OCPP no 64 A.)
_WORDS: Mapping[ConnectorType, str] = {
    ConnectorType.CHADEMO: "cG105",
    ConnectorType.CHAOJI: "cChaoJi",
    ConnectorType.DOMESTIC_E: "sCEE-7-7",
    ConnectorType.DOMESTIC_F: "sCEE-7-7",
    ConnectorType.DOMESTIC_G: "sBS1361",
    ConnectorType.GBT_DC: "cGBT-DC",
    ConnectorType.IEC_60309_2_SINGLE_16: "s309-1P-16A",
    ConnectorType.IEC_60309_2_THREE_16: "s309-3P-16A",
    ConnectorType.IEC_60309_2_THREE_32: "s309-3P-32A",
    ConnectorType.IEC_60309_2_THREE_64: "Other3Ph",
    ConnectorType.IEC_62196_T1: "cType1",
    ConnectorType.IEC_62196_T1_COMBO: "cCCS1",
    ConnectorType.IEC_62196_T2: "cType2",
    ConnectorType.IEC_62196_T2_COMBO: "cCCS2",
    ConnectorType.IEC_62196_T3A: "sType3",
    ConnectorType.IEC_62196_T3C: "sType3",
    ConnectorType.NEMA_5_20: "Other1PhMax16A",
    ConnectorType.NEMA_14_30: "Other3Ph",
    ConnectorType.NEMA_14_50: "Other3Ph",
    ConnectorType.PANTOGRAPH_BOTTOM_UP: "Pan",
    ConnectorType.PANTOGRAPH_TOP_DOWN: "Pan",
    ConnectorType.TESLA_R: "cTesla",
    ConnectorType.TESLA_S: "cTesla",
}
_SOCKETS: Mapping[ConnectorType, str] = {
    ConnectorType.IEC_62196_T1: "sType1",
    ConnectorType.IEC_62196_T2: "sType2",
}


def ocpp_connector_type(
    standard: ConnectorType,
    format: ConnectorFormat,
    max_amperage: int,
    power_type: PowerType,
    known: Collection[str] | None = None,
) -> str:
    """The station's word for a connector; ``max_amperage`` in ampere.

    ``known``: the words of the station's version, where it has a list of them; without one, the newest are said too.
    """
    word = _SOCKETS.get(standard) if format is ConnectorFormat.SOCKET else None
    word = word or _WORDS.get(standard)
    if standard is ConnectorType.IEC_60309_2_SINGLE_16 and max_amperage > 16:
        word = "s309-1P-32A"
    if word is None or (known and word not in known):
        return _other(max_amperage, power_type)
    return word


def _other(max_amperage: int, power_type: PowerType) -> str:
    if power_type is PowerType.DC:
        return "Unknown"
    if power_type is PowerType.AC_3_PHASE:
        return "Other3Ph"
    return "Other1PhMax16A" if max_amperage <= 16 else "Other1PhOver16A"
