"""Dialects: the OCPP versions that stations may speak, newest first."""

from collections.abc import Mapping

from ocpp_bridge import v16, v21, v201
from ocpp_bridge.dialect import Dialect

DIALECTS: Mapping[str, Dialect] = {dialect.subprotocol: dialect for dialect in (v21.DIALECT, v201.DIALECT, v16.DIALECT)}
