"""Catalogue files: read strictly, swapped whole, kept when the new ones are bad."""

import json
import os
from pathlib import Path

import pytest

from hscjit_app.catalog import store
from hscjit_app.catalog.store import CatalogStore
from hscjit_app.errors import CatalogError, ProductNotFound


def brand_file(brand: str, *names: str, **extra: object) -> dict[str, object]:
    """One catalogue file's content."""
    return {
        "brand_identity": {"id": brand, "name": brand.title()},
        "products": [
            {"id": f"{brand}-{n.lower()}", "name": f"{brand.title()} {n}", **extra} for n in names
        ],
    }


def write(folder: Path, name: str, body: object) -> None:
    """Put a catalogue file in place as `mv` does."""
    new = folder / f".{name}.new"
    new.write_text(body if isinstance(body, str) else json.dumps(body))
    new.rename(folder / name)


def test_the_bundled_sample_is_large_enough_and_consistent():
    catalogue = store.load(store.bundled())

    brands = {p.brand.id for p in catalogue.products.values()}
    missing = [
        relation.target_id
        for p in catalogue.products.values()
        for relation in p.relations
        if relation.target_id not in catalogue.products
    ]
    assert len(catalogue.products) >= 60
    assert len(brands) >= 15
    assert missing == []


def test_a_product_knows_what_its_file_says(tmp_path):
    write(
        tmp_path,
        "nord_catalog.json",
        brand_file(
            "nord",
            "Stage",
            category="Keyboard",
            production_country="Sweden",
            images={"main": "/a.webp", "thumbnail": "/b.webp"},
            documentation={"type": "pdf", "url": "https://example.com/stage.pdf"},
            relationships=[{"type": "accessory", "target_id": "nord-bag", "label": "Bag"}],
            aliases=["NS4"],
            model="S4",
            colour="red",
        ),
    )
    product = store.load(tmp_path).get("nord-stage")

    assert (product.name, product.brand.name, product.category) == (
        "Nord Stage",
        "Nord",
        "Keyboard",
    )
    assert product.manual_url == "https://example.com/stage.pdf"
    assert product.relations[0].target_id == "nord-bag"
    assert product.aliases == ("NS4", "S4")


def test_a_page_that_is_no_pdf_is_no_manual(tmp_path):
    documentation = {"type": "html_scrape", "url": "https://example.com/stage"}
    write(tmp_path, "nord.json", brand_file("nord", "Stage", documentation=documentation))

    assert store.load(tmp_path).get("nord-stage").manual_url is None


BAD = {
    "not JSON": ("{", "bad.json: not JSON"),
    "a list": ([], "bad.json: found list, expected an object"),
    "no brand": ({"products": []}, "bad.json: brand_identity: found nothing, expected an object"),
    "brand without a name": (
        {"brand_identity": {"id": "x"}, "products": []},
        "bad.json: brand_identity.name: missing or empty, expected text",
    ),
    "no products": (
        {"brand_identity": {"id": "x", "name": "X"}},
        "bad.json: products: missing, expected a list",
    ),
    "a product without a name": (
        {"brand_identity": {"id": "x", "name": "X"}, "products": [{"id": "a"}]},
        "bad.json: products[0].name: missing or empty",
    ),
    "a number for a name": (
        {"brand_identity": {"id": "x", "name": "X"}, "products": [{"id": "a", "name": 7}]},
        "bad.json: products[0].name: found int, expected text",
    ),
    "a bad relation": (
        brand_file("x", "A", relationships=[{"type": "related"}]),
        "bad.json: products[0].relationships[0].target_id: missing or empty",
    ),
    "documentation as text": (
        brand_file("x", "A", documentation="https://example.com"),
        "bad.json: products[0].documentation: found str, expected an object",
    ),
    "an id twice": (brand_file("x", "A", "A"), "bad.json: product id 'x-a' is already in bad.json"),
    "no product at all": (brand_file("x"), "hold no product at all"),
}


@pytest.mark.parametrize(("body", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named_with_its_field(tmp_path, body, message):
    write(tmp_path, "bad.json", body)

    with pytest.raises(CatalogError) as refused:
        store.load(tmp_path)

    assert message in str(refused.value)


def test_an_id_in_two_files_names_both(tmp_path):
    write(tmp_path, "a.json", brand_file("nord", "Stage"))
    write(tmp_path, "b.json", brand_file("nord", "Stage"))

    with pytest.raises(
        CatalogError, match=r"b\.json: product id 'nord-stage' is already in a\.json"
    ):
        store.load(tmp_path)


def test_an_unknown_product_is_said_to_be_unknown(tmp_path):
    write(tmp_path, "a.json", brand_file("nord", "Stage"))

    with pytest.raises(ProductNotFound, match="nord-lead"):
        store.load(tmp_path).get("nord-lead")


async def test_a_changed_file_is_served_and_an_unchanged_one_not_read_again(tmp_path):
    write(tmp_path, "a.json", brand_file("nord", "Stage"))
    catalog = CatalogStore(tmp_path)

    assert await catalog.refresh() is True
    assert await catalog.refresh() is False
    write(tmp_path, "b.json", brand_file("moog", "Mother"))
    assert await catalog.refresh() is True
    assert set(catalog.current.products) == {"nord-stage", "moog-mother"}
    assert catalog.current.index.predict("mother")[0].product.id == "moog-mother"


async def test_a_bad_file_keeps_the_old_catalogue_until_it_is_mended(tmp_path):
    write(tmp_path, "a.json", brand_file("nord", "Stage"))
    catalog = CatalogStore(tmp_path)
    await catalog.refresh()

    write(tmp_path, "a.json", "{")
    assert await catalog.refresh() is False
    assert list(catalog.current.products) == ["nord-stage"]
    assert "a.json: not JSON" in str(catalog.error)

    write(tmp_path, "a.json", brand_file("nord", "Lead"))
    assert await catalog.refresh() is True
    assert (list(catalog.current.products), catalog.error) == (["nord-lead"], None)


@pytest.mark.parametrize("folder", ["missing", "empty"])
async def test_without_any_file_nothing_is_loaded_and_the_reason_is_said(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    catalog = CatalogStore(tmp_path / folder)
    await catalog.refresh()

    assert not catalog.loaded
    assert "holds no *.json file" in str(catalog.error)


async def test_a_mounted_configmap_changes_by_its_symlink_alone(tmp_path):
    """The kubelet writes a new folder and moves `..data`; the files keep even their times."""
    for version, name in (("v1", "Stage"), ("v2", "Leads")):
        (tmp_path / version).mkdir()
        write(tmp_path / version, "a.json", brand_file("nord", name))
        os.utime(tmp_path / version / "a.json", (1, 1))
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "a.json").symlink_to("..data/a.json")
    catalog = CatalogStore(tmp_path)
    await catalog.refresh()

    (tmp_path / "..new").symlink_to("v2")
    (tmp_path / "..new").rename(tmp_path / "..data")

    assert await catalog.refresh() is True
    assert list(catalog.current.products) == ["nord-leads"]
