"""The OCPI versions that we speak, newest first: routes, version lists and documents are read off this table."""

from collections.abc import Mapping
from types import MappingProxyType

from ocpi import v2_2, v2_2_1
from ocpi.dialect import Dialect

NEWEST = v2_2_1.DIALECT

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {dialect.version: dialect for dialect in (NEWEST, v2_2.DIALECT)},
)
