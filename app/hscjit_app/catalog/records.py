"""Products in flat arrays: a hundred thousand cost a process nothing until it looks at one."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import overload

import numpy as np
import numpy.typing as npt

from hscjit_app.catalog.pack import Arrays
from hscjit_app.catalog.products import Brand, Product, Relation
from hscjit_app.catalog.remembering import remembering

KEPT = 4096
"""Products kept as objects because they were looked at lately."""

_JSON = json.JSONDecoder().raw_decode
"""Reads what `encode` wrote, without looking for blanks around it."""


def encode(products: Sequence[Product]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays that `Records` reads."""
    brands: dict[Brand, int] = {}
    rows = [
        json.dumps(
            [
                p.id,
                p.name,
                brands.setdefault(p.brand, len(brands)),
                p.category,
                p.production_country,
                p.image,
                p.manual_url,
                [astuple(relation) for relation in p.relations],
                p.aliases,
            ],
            ensure_ascii=False,
        ).encode("utf-8", "surrogatepass")
        for p in products
    ]
    hashes = np.fromiter((_hash(p.id) for p in products), np.uint32, len(products))
    order = np.argsort(hashes, kind="stable")
    return {
        "records": np.frombuffer(b"".join(rows), dtype=np.uint8),
        "record_offsets": offsets(rows),
        "id_hashes": hashes[order],
        "id_rows": order.astype(np.int32),
        "brands": np.frombuffer(json.dumps([astuple(b) for b in brands]).encode(), dtype=np.uint8),
    }


def offsets(parts: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Return where each part begins in all of them joined, and the end."""
    found = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=found[1:])
    return found


class Records(Mapping[str, Product]):
    """The products of a pack by id, in the catalogue's order."""

    def __init__(self, arrays: Arrays) -> None:
        self._bytes = arrays["records"].data
        self._offsets = arrays["record_offsets"].data  # one number is read faster than by numpy
        self._hashes = arrays["id_hashes"]
        self._rows = arrays["id_rows"]
        self._brands = [Brand(*fields) for fields in json.loads(arrays["brands"].tobytes())]
        self.at = remembering(self._read, KEPT)
        """Return the product of a row."""

    @property
    def order(self) -> Sequence[Product]:
        """The products by row."""
        return _InOrder(self)

    def __getitem__(self, product_id: str) -> Product:
        """Return a product; raises KeyError."""
        sought = np.uint32(_hash(product_id))
        begin = int(np.searchsorted(self._hashes, sought))
        while begin < len(self._hashes) and self._hashes[begin] == sought:
            product = self.at(int(self._rows[begin]))
            if product.id == product_id:
                return product
            begin += 1
        raise KeyError(product_id)

    def __iter__(self) -> Iterator[str]:
        """Walk the ids."""
        return (self._read(row).id for row in range(len(self)))

    def __len__(self) -> int:
        """Count the products."""
        return len(self._rows)

    def _read(self, row: int) -> Product:
        record = self._bytes[self._offsets[row] : self._offsets[row + 1]]
        fields, _ = _JSON(str(record, "utf-8", "surrogatepass"))
        product_id, name, brand, category, country, image, manual, relations, aliases = fields
        return Product(
            id=product_id,
            name=name,
            brand=self._brands[brand],
            category=category,
            production_country=country,
            image=image,
            manual_url=manual,
            relations=tuple([Relation(*relation) for relation in relations]),
            aliases=tuple(aliases),
        )


class _InOrder(Sequence[Product]):
    """The products by row; a slice reads only what is in it."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Product: ...
    @overload
    def __getitem__(self, index: slice) -> list[Product]: ...
    def __getitem__(self, index: int | slice) -> Product | list[Product]:
        rows = range(len(self))[index]  # raises IndexError, counts from behind
        if isinstance(rows, range):
            return [self._records.at(row) for row in rows]
        return self._records.at(rows)


def _hash(product_id: str) -> int:
    return zlib.crc32(product_id.encode("utf-8", "surrogatepass"))
