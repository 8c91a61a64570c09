"""A large catalogue is found in, judged and shared as a small one is."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz, process
from tests.bench import catalogue
from tests.unit.app.shop import FILLERS, MANY, MEANT, TYPED, many_compared, many_index

from hscjit_app.catalog import large, pack, packing, postings, records, spelling, store, words
from hscjit_app.catalog.large import LargeIndex
from hscjit_app.catalog.products import Product
from hscjit_app.catalog.records import Records
from hscjit_app.catalog.store import CatalogStore
from hscjit_app.errors import CatalogError

ITS_LIKE = {"a model number among its like": ("casio ck107 snare", "Casio CK-107 Snare Drum")}
ALL_TYPED = {name: typed for name, (typed, _) in (TYPED | ITS_LIKE).items()}


@pytest.mark.parametrize(("typed", "meant"), ITS_LIKE.values(), ids=ITS_LIKE)
def test_a_model_is_found_among_its_like(typed, meant):
    assert many_index().predict(typed)[0].product.name == meant


@pytest.mark.parametrize("typed", ALL_TYPED.values(), ids=ALL_TYPED)
def test_confidence_means_what_it_means_in_a_small_catalogue(typed):
    found = many_index().predict(typed)[0]
    exact = {m.product.id: m for m in many_compared().predict(typed, limit=50)}[found.product.id]

    assert found.confidence == pytest.approx(exact.confidence, abs=0.12)


def test_of_models_named_alike_a_question_means_the_one_it_holds_most_of():
    named = many_index().identify("does the kogr dp122 mixer have two inputs?")

    assert named is not None
    assert named.product.name == "Korg DP-122 Mixer"


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_answered(text):
    assert len(many_index().predict(text)) <= 5


@given(st.lists(st.text(alphabet="aB1é -/.'\u2019&+_\n\tא٣ガ\u0301", max_size=12), max_size=6))
@settings(max_examples=50, deadline=None)
def test_many_lines_are_cut_as_each_alone(texts):
    assert words.normal_lines(texts) == [" ".join(words.typed(text)) for text in texts]


@given(st.lists(st.sampled_from(["moog", "nord", "td17", "ab", "c", "stage"]), min_size=1))
@settings(max_examples=50, deadline=None)
def test_a_name_is_a_candidate_for_its_own_words(name):
    names = sorted([" ".join(name), "korg mixer", "zoom", "yamaha piano 88"], key=len)
    vocabulary, arrays = postings.build(names)
    arrays |= spelling.build(vocabulary, arrays["common"])
    found, held = postings.Postings(arrays).candidates(name, most=4)

    at = found.index(names.index(" ".join(name)))
    assert held[at] == max(held)


def test_what_exhaustive_wratio_finds_is_found():
    products = catalogue.products(5_000)
    names = [catalogue.normal(p.name) for p in products]
    asked = catalogue.typed(names, 60)
    index = LargeIndex.of(products)
    scores = process.cdist([q.text for q in asked], names, scorer=fuzz.WRatio, dtype=np.float32)
    at = {name: n for n, name in enumerate(names)}

    found, first = [], []
    for q, row in zip(asked, scores, strict=True):
        tenth, best = np.sort(row)[[-10, -1]] - 0.001
        found.append(sum(row[at[name]] >= tenth for name in index.alike(q.text, 10)) / 10)
        first.append(row[at[catalogue.normal(index.predict(q.text)[0].product.name)]] >= best)

    assert np.mean(found) >= 0.9
    assert np.mean(first) >= 0.98


def test_the_few_shown_are_those_that_hold_most_of_what_was_typed():
    found = many_index().predict("pearl ax101 piano mxier")

    assert [m.product.name for m in found][:1] == ["Pearl AX-101 Digital Piano"]
    assert {m.product.name for m in found} >= {"Pearl AX-101 Mixer"}


def test_nothing_is_alike_no_words():
    assert many_index().alike("?!", 10) == []
    assert many_index().alike("xqzzyxq", 10) == []


def test_records_are_the_products_they_were_made_of():
    kept = Records(records.encode(MANY))

    assert list(kept) == [p.id for p in MANY]
    assert [kept[p.id] for p in MEANT] == MEANT
    assert kept.order[3:5] == MANY[3:5]
    assert kept.order[-1] == MANY[-1]
    assert kept.get("no-such") is None


BROKEN = {
    "empty": b"",
    "something else": b"x" * 500,
    "cut in its head": 40,
    "cut in its arrays": -1,
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_damaged_pack_is_no_pack(tmp_path, broken):
    path = tmp_path / "a.pack"
    pack.write(path, large.encode(MEANT))
    path.write_bytes(path.read_bytes()[:broken] if isinstance(broken, int) else broken)

    with pytest.raises(pack.NotAPack):
        pack.read(path)


def write(folder: Path, *products: Product) -> None:
    """Put one catalogue file in place as `mv` does."""
    folder.mkdir(exist_ok=True)
    body = {
        "brand_identity": {"id": "x", "name": "X"},
        "products": [{"id": p.id, "name": p.name, "category": p.category} for p in products],
    }
    (folder / ".new").write_text(json.dumps(body))
    (folder / ".new").rename(folder / "a.json")


@pytest.fixture
def packed(monkeypatch, tmp_path):
    """Let a few products count as many."""
    monkeypatch.setattr(store, "SMALL_BYTES", 10)
    monkeypatch.setattr(store, "SMALL_PRODUCTS", 2)
    monkeypatch.setattr(
        packing, "_build", lambda folder, packs: packing.write(store.read(folder), packs)
    )
    return tmp_path / "packs"


async def test_a_large_catalogue_is_packed_once_mapped_by_all_and_swapped_live(packed, tmp_path):
    write(tmp_path / "files", *MEANT)
    first = CatalogStore(tmp_path / "files", packed)
    await first.refresh()
    (path,) = packed.glob("*.pack")
    made = path.stat().st_ino
    second = CatalogStore(tmp_path / "files", packed)
    await second.refresh()
    assert path.stat().st_ino == made
    assert isinstance(second.current.index, LargeIndex)
    assert second.current.index.predict("grandmothr")[0].product.name == "Moog Grandmother"

    old = second.current
    write(tmp_path / "files", *FILLERS[:9])
    assert await second.refresh()
    assert second.current.index.predict("pearl ax100")[0].product.name.startswith("Pearl AX-100")
    assert old.index.predict("matriarch")[0].product.name == "Matriarch"


async def test_a_damaged_pack_is_made_anew(packed, tmp_path):
    write(tmp_path / "files", *MEANT)
    files = store.read(tmp_path / "files")
    packed.mkdir()
    (packed / packing.name_of(files)).write_bytes(b"half")

    found, _ = packing.mapped(files, tmp_path / "files", packed)

    assert len(found) == len(MEANT)


async def test_a_bad_large_file_is_named_and_the_old_catalogue_kept(packed, tmp_path):
    write(tmp_path / "files", *MEANT)
    catalog = CatalogStore(tmp_path / "files", packed)
    await catalog.refresh()

    write(tmp_path / "files", *MEANT, MEANT[0])
    assert not await catalog.refresh()
    assert "is already in a.json" in str(catalog.error)
    assert len(catalog.current.products) == len(MEANT)


def test_a_process_of_its_own_builds_or_says_why_not(tmp_path):
    write(tmp_path / "files", *MEANT)
    found, index = packing.mapped(
        store.read(tmp_path / "files"), tmp_path / "files", tmp_path / "packs"
    )
    assert len(found) == len(MEANT)
    assert index.predict("grandmothr")[0].product.name == "Moog Grandmother"

    write(tmp_path / "files", *MEANT, MEANT[0])
    with pytest.raises(CatalogError, match=r"is already in a\.json"):
        packing.mapped(store.read(tmp_path / "files"), tmp_path / "files", tmp_path / "packs")


def test_while_a_pack_is_written_only_one_more_is_there(monkeypatch, tmp_path):
    beside = []
    written = pack.write

    def write(path, arrays):
        beside.append({p.name for p in tmp_path.iterdir()} - {path.name})
        written(path, arrays)

    monkeypatch.setattr(pack, "write", write)
    names = [packing.write([("a.json", _file(MEANT[n]))], tmp_path) for n in range(4)]

    assert beside == [set(), {names[0]}, {names[1]}, {names[2]}]
    assert {p.name for p in tmp_path.iterdir()} == set(names[2:])


async def test_the_pack_that_is_served_stays_whenever_it_was_made(packed, tmp_path):
    files = tmp_path / "files"
    catalog = CatalogStore(files, packed)
    for n, one in enumerate((MEANT, FILLERS[:9], MEANT)):
        write(files, *one)
        await catalog.refresh()
        for path in packed.glob("*.pack"):  # as if each had been used an hour after the other
            if path.stat().st_mtime > time.time() - 60:
                os.utime(path, (n * 3600, n * 3600))
    served = packing.name_of(store.read(files))
    write(files, *FILLERS[:12])
    await catalog.refresh()

    assert {p.name for p in packed.glob("*.pack")} == {
        served,
        packing.name_of(store.read(files)),
    }


def test_what_a_killed_builder_left_goes_and_what_another_writes_stays(tmp_path):
    ages = {"left": 3 * packing.PATIENCE_S, "written now": 1.0}
    for name, age in ages.items():
        path = tmp_path / f"{pack.PARTIAL}{name}"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)

    packing.write([("a.json", _file(MEANT[0]))], tmp_path)

    assert [p.name for p in tmp_path.glob(f"{pack.PARTIAL}*")] == [f"{pack.PARTIAL}written now"]


def test_a_folder_that_cant_hold_packs_is_said(tmp_path):
    (tmp_path / "packs").write_text("a file")

    with pytest.raises(CatalogError, match="can't be indexed"):
        packing.mapped([("a.json", b"{}")], tmp_path, tmp_path / "packs")


def _file(one: Product) -> bytes:
    return json.dumps(
        {
            "brand_identity": {"id": "x", "name": "X"},
            "products": [{"id": one.id, "name": one.name}],
        }
    ).encode()
