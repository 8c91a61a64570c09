"""Where does the catalogue come from, and how does it change under a running process?

A folder of `*.json` files is read whole or not at all. It is looked at every `POLL_S`; a change is
read and indexed beside the event loop and swapped in at once: small files in a thread, large ones
in a process (`packing`), for a thread that parses much keeps the loop waiting too. What can't be
read leaves the old catalogue in place, and `error` says why.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import structlog

from hscjit_app.catalog import products
from hscjit_app.catalog.prediction import Predictor
from hscjit_app.catalog.products import Product
from hscjit_app.errors import CatalogError, ProductNotFound

log = structlog.get_logger(__name__)

POLL_S = 2.0
MAX_FILE_BYTES = 64 * 1024 * 1024
SMALL_BYTES = 512 * 1024
"""Files of no more in all are read in this process."""
SMALL_PRODUCTS = 300
"""So many are searched exactly; above, finding a few first is faster."""

Signature = tuple[tuple[str, str, int, int], ...]
"""(name, real path, modification time in ns, size) of each file: a mounted ConfigMap changes by
moving a symlink, so the real path tells what times can't."""


@dataclass(frozen=True)
class Catalogue:
    """One consistent state of all products, with its index."""

    products: Mapping[str, Product] = field(default_factory=dict)
    order: Sequence[Product] = ()
    """The same products in the files' order."""
    index: Predictor | None = None
    """None only while there is no product."""

    def get(self, product_id: str) -> Product:
        """Return one product; raises `ProductNotFound`."""
        product = self.products.get(product_id)
        if product is None:
            raise ProductNotFound(product_id)
        return product


def bundled() -> Path:
    """Return the folder of the sample catalogue inside the package."""
    return Path(str(resources.files("hscjit_app.catalog"))) / "sample"


def load(folder: Path, packs: Path | None = None) -> Catalogue:
    """Read a folder whole; raises `CatalogError` naming file and field.

    `packs` = where large catalogues' indexes lie, to be found by other processes and later ones.
    """
    files = read(folder)
    if sum(len(text) for _, text in files) > SMALL_BYTES:
        from hscjit_app.catalog import packing  # noqa: PLC0415 numpy: not while importing

        records, index = packing.mapped(files, folder, packs or packing.default_folder())
        if len(records) > SMALL_PRODUCTS:
            return Catalogue(records, records.order, index)
    read_here = ((name, one) for name, text in files for one in products.parse(name, text))
    found = products.unique(read_here)
    if not found:
        raise CatalogError(products.NOTHING)
    order = list(found.values())
    if len(order) > SMALL_PRODUCTS:
        from hscjit_app.catalog.large import LargeIndex  # noqa: PLC0415

        return Catalogue(found, order, LargeIndex.of(order))
    from hscjit_app.catalog.matching import FuzzyIndex  # noqa: PLC0415

    return Catalogue(found, order, FuzzyIndex(order))


def signature(folder: Path) -> Signature:
    """Return what changes when any file does; () for an unreadable folder."""
    try:
        return tuple(
            (path.name, str(path.resolve()), (stat := path.stat()).st_mtime_ns, stat.st_size)
            for path in _files(folder)
        )
    except OSError:
        return ()


class CatalogStore:
    """The catalogue this process answers from, kept up with its folder."""

    def __init__(
        self,
        folder: Path | None,
        packs: Path | None = None,
        swapped: Callable[[], None] | None = None,
    ) -> None:
        """`swapped` is called on the event loop right after another catalogue took its place."""
        self._folder = folder or bundled()
        self._packs = packs
        self._swapped = swapped
        self._signature: Signature | None = None
        self.current = Catalogue()
        """Replaced as a whole: who needs two looks to agree takes it once."""
        self.error: str | None = None
        """Why the files on disk are not what is served; None = they are."""

    @property
    def loaded(self) -> bool:
        """True once any catalogue has been read."""
        return self.current.index is not None

    async def refresh(self, *, always: bool = False) -> bool:
        """Look at the folder and read it if it changed, or `always`; True = it was read anew."""
        seen = await asyncio.to_thread(signature, self._folder)
        if seen == self._signature and not always:
            return False
        self._signature = seen
        try:
            self.current = await asyncio.to_thread(load, self._folder, self._packs)
        except CatalogError as e:
            self.error = e.message
            log.warning("Catalogue can't be read, keeping the old one", reason=e.message)
            return False
        self.error = None
        if self._swapped is not None:
            self._swapped()
        log.info("Loaded catalogue", products=len(self.current.products), files=len(seen))
        return True

    async def follow(self) -> None:
        """Refresh until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.refresh()


def _files(folder: Path) -> list[Path]:
    # Hidden entries are the machinery of a mounted ConfigMap (`..data`), not catalogues.
    return sorted(p for p in folder.glob("*.json") if not p.name.startswith("."))


def read(folder: Path) -> list[tuple[str, bytes]]:
    """Return (name, content) of a folder's catalogue files; raises `CatalogError`."""
    files = _files(folder)
    if not files:
        raise CatalogError(f"{folder.name}: holds no *.json file, expected one per brand")
    found = []
    for path in files:
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise CatalogError(f"{path.name}: {size} bytes, expected at most {MAX_FILE_BYTES}")
            found.append((path.name, path.read_bytes()))
        except OSError as e:
            raise CatalogError(f"{path.name}: can't be read: {e.strerror}") from e
    return found
