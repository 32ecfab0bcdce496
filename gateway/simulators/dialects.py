"""The OCPP versions that a simulated station can speak, by the names that people write."""

from collections.abc import Mapping

from gateway.simulators import v16, v21, v201
from gateway.simulators.words import Dialect

DIALECTS: Mapping[str, Dialect] = {"1.6": v16.DIALECT, "2.0.1": v201.DIALECT, "2.1": v21.DIALECT}
NEWEST = "2.1"
