"""Tables of settings, and what is said of a wrong one."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from unihpe.errors import InputError

Table = TypeVar("Table", bound=BaseModel)


class Settings(BaseModel):
    """A table of a recipe: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def parse(table: type[Table], fields: Any, where: str) -> Table:
    """Fields, which come from `where`, as a table; InputError is the first complaint of them."""
    try:
        return table.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"{where}: {_complaint(table, error)}") from error


def _complaint(root: type[BaseModel], error: ValidationError) -> str:
    """The first complaint on one line."""
    first = error.errors()[0]
    if first["type"] != "extra_forbidden":
        place = ".".join(str(part) for part in first["loc"])
        return (f"{place}: " if place else "") + first["msg"].removeprefix("Value error, ")
    *parents, key = first["loc"]
    place, table = ".".join(str(part) for part in parents) or "recipe", root
    for name in (part for part in parents if isinstance(part, str)):
        annotation = table.model_fields[name].annotation
        inner = getattr(annotation, "__args__", (annotation,))[0]
        table = inner if isinstance(inner, type) else table
    return f"[{place}] has no setting {key}; it has {', '.join(table.model_fields)}"
