"""Settings that are checked: the base of every pydantic model here, and errors for people.

An unknown key is an error that names the nearest known one. Apart from `sslslr.config.study`, so that a
data set or a transform does not become stale when a key of the study is added.
"""

import functools
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from sslslr.utils.download.addresses import refuse_secrets
from sslslr.utils.errors import UserError, nearest
from sslslr.utils.user_files import shortened, shown, shown_value

LEAST = 1e-12  # what is less is as good as nothing, and in single precision often nothing
FASTEST, MOST = 1e6, 10**6  # beyond these a rate, or a number of epochs, is a slip of the pen
SPLITS = ("train", "val", "test")


class Settings(BaseModel):
    """Unknown keys are errors, and so are infinity, NaN and `yes` for a number; instances do not change.

    A number whose field states no upper bound is at most `MOST`, and one that is not zero at least `LEAST`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, values: Any) -> Any:
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            kinds = set(_kinds(field.annotation))
            if bool in kinds or not {int, float} & kinds:
                continue
            value = values.get(name)
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, bool):
                    raise ValueError(
                        f"{name} must be a number (found {str(entry).lower()}; YAML reads yes, no, on and off so)"
                    )
        return values

    @model_validator(mode="after")
    def _no_number_is_beyond_all_meaning(self) -> "Settings":
        for name, boundless in _numeric(type(self)).items():
            for number in _numbers(getattr(self, name)):
                if 0 < abs(number) < LEAST:
                    raise ValueError(f"{name} must be 0 or at least {LEAST:g} (found {number!r})")
                if boundless and abs(number) > MOST:
                    raise ValueError(
                        f"{name} must be at most {MOST} (found {shortened(repr(number))})"
                    )
        return self


@functools.cache
def _numeric(model: type[Settings]) -> dict[str, bool]:
    """Fields of numbers, or of lists of them, and whether nothing says how large they may be."""
    return {
        name: not any(_is_upper(entry) for entry in [*field.metadata, *_kinds(field.annotation)])
        for name, field in model.model_fields.items()
        if {int, float} & set(_kinds(field.annotation))
    }


def _kinds(annotation: Any) -> Iterator[Any]:
    """An annotation and all that stands within it."""
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _is_upper(entry: Any) -> bool:
    """Is it an upper bound, or a `Field` with one?"""
    entries = [entry, *getattr(entry, "metadata", ())]
    return any(
        getattr(e, "le", None) is not None or getattr(e, "lt", None) is not None for e in entries
    )


def _numbers(value: Any) -> Iterator[int | float]:
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _numbers(entry)


def _fraction(value: Any) -> Fraction:
    try:
        fraction = Fraction(str(value)).limit_denominator(10_000)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a fraction; write 1/3 or 0.25") from None
    if not 0 <= fraction <= 1:
        raise ValueError(f"{value!r} is not between 0 and 1")
    return fraction


# Written `1/3` or `0.25` in YAML, kept exact: floor(T * 1/3) is then T // 3 for every T.
Share = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": ["string", "number"]}),
]
NAME = r"^[a-z0-9][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME)]

# Names in studies, claims and encoders' records that were written before.
FORMER_NAMES = {"semi_supervised": "few_labels"}
FORMER_ENCODERS = {"paper": "transformer"}
ProtocolName = Annotated[str, BeforeValidator(lambda name: FORMER_NAMES.get(str(name), name))]
EncoderName = Annotated[Name, BeforeValidator(lambda name: FORMER_ENCODERS.get(str(name), name))]


def _distinct(values: list) -> list:
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"names {twice} twice; each counts as a measurement of its own")
    return values


Distinct = AfterValidator(_distinct)  # of a list
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # what torch takes, and a column of whole numbers
Seeds = Annotated[list[Seed], Field(min_length=1), Distinct]
MOST_VALUES, DEEPEST = 200_000, 50  # of settings, each counted wherever it is referred to


def refuse_too_many(values: Any, where: str, most: int = MOST_VALUES) -> None:
    """Raise UserError for settings that a few lines of anchors blew up, or that hold themselves."""
    count, level = 0, [values]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        count += len(level)
        if not level or count > most:
            break
    if level:
        raise UserError(
            f"{where}: more than {most} values or {DEEPEST} levels of keys within keys; do its "
            "anchors (&name, *name) refer to each other?"
        )


def parse(
    model: type[BaseModel],
    values: Any,
    where: str,
    most: int | None = None,
    most_values: int = MOST_VALUES,
) -> Any:
    """Validate `values` as `model`.

    Args:
        most: of the lines that say what is wrong; None: all. A file that nobody writes by hand has one.
        most_values: of settings. JSON has no anchors, so its size bounds what it may hold.

    Raises:
        UserError: what is wrong, where, and for an unknown key the nearest known one; or an address
            with a password or token in it, which would be published.
    """
    refuse_too_many(values, where, most_values)
    refuse_secrets(values, where)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"{where}: {_sentence(model, problem)}" for problem in error.errors()]
        raise UserError("\n".join(lines[:most])) from None


def _sentence(model: type[BaseModel], problem: Any) -> str:
    location = [shown(str(part)) for part in problem["loc"]]
    dotted = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}. {nearest(location[-1], _known_keys(model, problem['loc'][:-1]))}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"key {dotted!r} is missing."
    found = problem["input"]
    message = _plainly(problem) or message
    plain = isinstance(found, str | int | float | bool | None)
    said = f" (found {shown_value(found)})" if plain else ""
    return f"{dotted.removesuffix('.[key]') + ': ' if dotted else ''}{message}{said}."


def _plainly(problem: Any) -> str:
    """What pydantic says of types and patterns, for somebody who writes YAML; else empty."""
    kind, found = problem["type"], problem["input"]
    if kind == "string_type" and not isinstance(found, list | dict | None):
        return "must be text; YAML reads it as something else, so put it in quotes"
    if kind == "string_pattern_mismatch" and problem["ctx"]["pattern"] == NAME:
        return "a name has small letters, digits and _ alone, and begins with a letter or digit"
    if kind in ("dict_type", "model_type"):
        return "must hold keys with values" + ("" if found else "; write {} for none")
    if kind == "list_type" and isinstance(found, str):
        return f"must be a list: [{shortened(found)}]"
    return ""


def _known_keys(model: type[BaseModel], path: tuple) -> list[str]:
    """Field names of the model that `path` leads to within `model`."""
    schema = model.model_json_schema()

    def resolved(node: Any) -> dict[str, Any]:
        node = node if isinstance(node, dict) else {}
        return schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node

    node = resolved(schema)
    for part in path:
        named = node.get("properties", {}).get(part)
        by_pattern = next(iter(node.get("patternProperties", {}).values()), None)
        node = resolved(
            named or by_pattern or node.get("items") or node.get("additionalProperties")
        )
    return list(node.get("properties", {}))
