"""The vocabulary of a profile's tables: what a value may be, and how "unknown" is said.

A quantity that nobody has measured is the string "unknown" in the file and None in Python; it is never
guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

UNKNOWN = "unknown"


def _none_if_unknown(value: object) -> object:
    return None if value == UNKNOWN else value


def _tuple_if_list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # TOML has lists only


@dataclass(frozen=True)
class _OrUnknown(BeforeValidator):
    """Lets a value be the word "unknown", in the file and in the JSON schema."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core_schema), {"const": UNKNOWN}]}


OrUnknown = _OrUnknown(_none_if_unknown)
AsTuple = BeforeValidator(_tuple_if_list)
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
#: A probability that a guard may err.
Rate = Annotated[float, Field(gt=0, le=0.5)]
PositiveOrUnknown = Annotated[Positive | None, OrUnknown]
NotNegativeOrUnknown = Annotated[NotNegative | None, OrUnknown]
FractionOrUnknown = Annotated[Fraction | None, OrUnknown]
#: Lower and upper end of a window, in the unit of its key.
WindowOrUnknown = Annotated[tuple[float, float] | None, OrUnknown, AsTuple]
#: [y, x] in pixels.
Shape = Annotated[tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]], AsTuple]
ShapeOrUnknown = Annotated[Shape | None, OrUnknown]
#: [device, property] of the acquisition engine.
DeviceProperty = Annotated[tuple[str, str], AsTuple]
#: [y, x, height, width] in pixels.
Region = Annotated[
    tuple[
        Annotated[int, Field(ge=0)],
        Annotated[int, Field(ge=0)],
        Annotated[int, Field(gt=0)],
        Annotated[int, Field(gt=0)],
    ],
    AsTuple,
]
RegionOrUnknown = Annotated[Region | None, OrUnknown]
#: One row of a 2 x 3 matrix.
Row3 = Annotated[tuple[float, float, float], AsTuple]
#: What the policy does about a verdict; `ignore` does not even show it.
Reaction = Literal["ignore", "note", "pause", "adjust", "stop"]


def state_key(of: tuple[str, str]) -> str:
    """The name of a [device, property] in `Frame.state`."""
    return "-".join(of)


def stated_number(state: Mapping[str, str | float], of: tuple[str, str] | None) -> float | None:
    """A property's value in `Frame.state`, 0 or more; None where it is not there or no such number."""
    try:
        value = float(state[state_key(of)]) if of else math.nan
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) and value >= 0 else None


class Table(BaseModel):
    """One table of a profile: strict types, no unknown keys, not changed after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """As in the file: a stated "unknown" stays stated, a key that was left out stays out."""
        fields: dict[str, object] = handler(self)
        return {
            key: UNKNOWN if value is None else value
            for key, value in fields.items()
            if value is not None or key in self.model_fields_set
        }
