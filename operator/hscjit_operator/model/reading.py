"""How does a spec's JSON become frozen dataclasses, and who says what is wrong with it?

The dataclasses of `model` are the schema: a field's name, type, default and `Annotated` formats
say all there is to know, and this reader applies them. What is absent falls back to the default
of the field it stands in, key by key, exactly as the API server fills in the schema's defaults.
"""

import dataclasses
import types
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin
from typing import get_type_hints as type_hints

from hscjit_operator.model.formats import INT_OR_STRING
from hscjit_operator.model.schedule import duration

T = TypeVar("T")

_ACRONYMS: Final = {"cpu": "CPU", "ttl": "TTL", "cidr": "CIDR"}
_LONGEST_SHOWN: Final = 80


class SpecError(Exception):
    """A spec cannot be used: `field` is the full path, `message` what is wrong and the way out."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def camel(name: str) -> str:
    """Return the resource's spelling of an attribute: `target_cpu` is `targetCPU` there."""
    first, *rest = name.split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


def read_block(kind: type[T], given: object, path: str, default: T | None = None) -> T:
    """Read one dataclass from a JSON object.

    `default` fills in what is not given; without it the class's own field defaults do. Fields the
    class does not know are left alone: refusing them is the API server's part, and an operator
    that is older than its schema must not stop over them.
    """
    if not isinstance(given, Mapping):
        raise SpecError(path, f"expected an object, got {_shown(given)}")
    _check_one_of(kind, given, path)
    hints = _hints(cast(type, kind))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # only dataclasses come here
        key = camel(field.name)
        field_path = f"{path}.{key}"
        fallback = _fallback(field, default)
        found = given.get(key)
        if found is not None:
            values[field.name] = _read(hints[field.name], found, field_path, fallback)
        elif fallback is dataclasses.MISSING:
            raise SpecError(field_path, "is required; set it")
        else:
            values[field.name] = fallback
    block = kind(**values)
    check = getattr(block, "check", None)
    if check is not None:
        check(path)
    return block


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Resolved once for each class: it was a third of the time that reading a spec takes."""
    return type_hints(kind, include_extras=True)


def _check_one_of(kind: type, given: Mapping[str, Any], path: str) -> None:
    """Refuse a second one of the fields of which a class lets only one stand (`ONE_OF`)."""
    named = [
        camel(name) for name in getattr(kind, "ONE_OF", ()) if given.get(camel(name)) is not None
    ]
    if len(named) > 1:
        said = f"cannot stand beside {named[0]}; remove one of the two"
        raise SpecError(f"{path}.{named[1]}", said)


def _fallback(field: "dataclasses.Field[Any]", default: object) -> Any:
    if default is not None:
        return getattr(default, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _read(hint: Any, given: Any, path: str, fallback: Any) -> Any:
    """Read one value of type `hint`; `fallback` is what the enclosing default holds here."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        base, *formats = args
        if INT_OR_STRING in formats and isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        value = _read(base, given, path, fallback)
        for form in formats:
            value = _formatted(form, value, path)
        return value
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in args if a is not type(None))
        return _read(inner, given, path, fallback)
    if origin is tuple:
        if not isinstance(given, list | tuple):
            raise SpecError(path, f"expected a list, got {_shown(given)}")
        return tuple(_read(args[0], v, f"{path}[{i}]", None) for i, v in enumerate(given))
    if origin is Mapping:
        return _mapping(args[1], given, path)
    if dataclasses.is_dataclass(hint):
        known = fallback if isinstance(fallback, cast(type, hint)) else None
        return read_block(cast(type, hint), given, path, known)
    return _scalar(hint, given, path)


def _mapping(value_hint: Any, given: Any, path: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise SpecError(path, f"expected an object, got {_shown(given)}")
    if value_hint is Any:
        return dict(given)
    return {key: _read(value_hint, value, f"{path}[{key}]", None) for key, value in given.items()}


def _scalar(hint: Any, given: Any, path: str) -> Any:
    """Return a bool, int or str as given (JSON's true is no integer), a choice or a duration."""
    if get_origin(hint) is Literal:
        if given not in get_args(hint):
            raise SpecError(
                path, f"expected one of {', '.join(get_args(hint))}, got {_shown(given)}"
            )
        return given
    if hint is timedelta:
        return _formatted(duration, _scalar(str, given, path), path)
    if type(given) is not hint:
        wanted = {bool: "true or false", int: "an integer", str: "a string"}[hint]
        raise SpecError(path, f"expected {wanted}, got {_shown(given)}")
    return given


def _formatted(form: Any, value: Any, path: str) -> Any:
    if not callable(form):  # a marker such as INT_OR_STRING
        return value
    try:
        return form(value)
    except ValueError as error:
        raise SpecError(path, str(error)) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
