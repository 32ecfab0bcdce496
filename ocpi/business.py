"""Companies and pictures: what Locations and Credentials say about who is behind them (mod_locations)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ocpi.types import CiString4, Integer, Model, Text100, Url

#: int(5): pixels.
Pixels = Annotated[Integer, Field(ge=0, le=99_999)]


class ImageCategory(StrEnum):
    """What a picture shows."""

    CHARGER = "CHARGER"
    ENTRANCE = "ENTRANCE"
    LOCATION = "LOCATION"
    NETWORK = "NETWORK"
    OPERATOR = "OPERATOR"
    OTHER = "OTHER"
    OWNER = "OWNER"


class Image(Model):
    """A picture, by its URL."""

    url: Url
    thumbnail: Url | None = None
    category: ImageCategory
    #: gif, jpeg, png, svg.
    type: CiString4
    width: Pixels | None = None
    height: Pixels | None = None


class BusinessDetails(Model):
    """A company."""

    name: Text100
    website: Url | None = None
    logo: Image | None = None
