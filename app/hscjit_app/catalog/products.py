"""What is a product? The users' catalogue format, read strictly where it matters.

A file holds one brand: `{"brand_identity": {…}, "products": […]}`. Required are the ids and names;
what else is there must have the right type; keys we don't know are left alone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from hscjit_app.errors import CatalogError

T = TypeVar("T")

NOTHING = "The catalogue's files hold no product at all, expected at least one"

_KINDS: dict[type, str] = {str: "text", list: "a list", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Brand:
    """Who makes it."""

    id: str
    name: str
    hq: str
    website: str
    logo_url: str


@dataclass(frozen=True, slots=True)
class Relation:
    """Another product that goes with one: an accessory, a spare part, a relative."""

    type: str
    target_id: str
    label: str


@dataclass(frozen=True, slots=True)
class Product:
    """One thing a customer may ask about."""

    id: str
    name: str
    brand: Brand
    category: str
    production_country: str
    image: str
    """Address of its picture, "" = none."""
    manual_url: str | None
    """`documentation.url` where `documentation.type` is pdf, as written; None = there is no PDF."""
    relations: tuple[Relation, ...]
    aliases: tuple[str, ...]
    """Other names people use (`aliases`), and the model number (`model`) where it is given."""

    def __hash__(self) -> int:
        """Hash the id alone: in a catalogue no two are the same, and all fields take their time."""
        return hash(self.id)


def parse(file: str, text: str | bytes) -> list[Product]:
    """Read one catalogue file; raises `CatalogError` naming the file and the field."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise CatalogError(f"{file}: not JSON: {e}") from e
    top = _Fields(file, "", body)
    identity = top.object("brand_identity")
    brand = Brand(
        id=identity.required("id"),
        name=identity.required("name"),
        hq=identity.text("hq"),
        website=identity.text("website"),
        logo_url=identity.text("logo_url"),
    )
    return [_product(fields, brand) for fields in top.objects("products")]


def unique(products: Iterable[tuple[str, Product]]) -> dict[str, Product]:
    """Return products by id from (file, product) pairs; an id given twice names both files."""
    found: dict[str, Product] = {}
    files: dict[str, str] = {}
    for file, product in products:
        if product.id in found:
            raise CatalogError(
                f"{file}: product id {product.id!r} is already in {files[product.id]}"
            )
        found[product.id], files[product.id] = product, file
    return found


def _product(fields: "_Fields", brand: Brand) -> Product:
    documentation = fields.object("documentation", optional=True)
    aliases = [*fields.texts("aliases"), fields.text("model")]
    return Product(
        id=fields.required("id"),
        name=fields.required("name"),
        brand=brand,
        category=fields.text("category"),
        production_country=fields.text("production_country"),
        image=fields.object("images", optional=True).text("main"),
        manual_url=(
            documentation.text("url") or None if documentation.text("type") == "pdf" else None
        ),
        relations=tuple(
            Relation(
                type=relation.text("type"),
                target_id=relation.required("target_id"),
                label=relation.text("label"),
            )
            for relation in fields.objects("relationships", optional=True)
        ),
        aliases=tuple(alias for alias in aliases if alias),
    )


class _Fields:
    """An object of the file that knows its own path, so that every complaint can name it."""

    def __init__(self, file: str, path: str, value: Any) -> None:
        self._file = file
        self._path = path
        self._value: Mapping[str, Any] = self._checked(path, value, dict)

    def required(self, key: str) -> str:
        text = self.text(key)
        if not text.strip():
            raise CatalogError(f"{self._file}: {self._at(key)}: missing or empty, expected text")
        return text

    def text(self, key: str) -> str:
        return self._optional(key, str, "")

    def texts(self, key: str) -> list[str]:
        items = self._optional(key, list, [])
        return [self._checked(f"{self._at(key)}[{n}]", item, str) for n, item in enumerate(items)]

    def object(self, key: str, *, optional: bool = False) -> "_Fields":
        value = self._value.get(key)
        return _Fields(self._file, self._at(key), {} if value is None and optional else value)

    def objects(self, key: str, *, optional: bool = False) -> list["_Fields"]:
        if not optional and key not in self._value:
            raise CatalogError(f"{self._file}: {self._at(key)}: missing, expected a list")
        items = self._optional(key, list, [])
        return [_Fields(self._file, f"{self._at(key)}[{n}]", item) for n, item in enumerate(items)]

    def _optional(self, key: str, kind: type[T], default: T) -> T:
        value = self._value.get(key)
        return default if value is None else self._checked(self._at(key), value, kind)

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _checked(self, path: str, value: Any, kind: type[T]) -> T:
        if not isinstance(value, kind):
            found = "nothing" if value is None else type(value).__name__
            where = f"{path}: " if path else ""
            raise CatalogError(f"{self._file}: {where}found {found}, expected {_KINDS[kind]}")
        return value
