"""OCPP 2.1: to a station that reserves and charges, 2.0.1 with one more word for a reservation's end (H03.FR.11)."""

from dataclasses import replace

from gateway.simulators import v201

DIALECT = replace(
    v201.DIALECT,
    subprotocol="ocpp2.1",
    schemas="ocpp.v21",
    updates=v201.DIALECT.updates | {"NoTransaction"},
)
