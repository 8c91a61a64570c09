"""The sample catalogue and its manuals."""

import hashlib
import json

import pytest

from hscjit_app.catalog import store
from hscjit_app.manuals import pdf, samples

CATALOG = store.load(store.bundled())


def test_the_sample_is_large_enough_for_a_first_look():
    assert len(CATALOG.products) >= 60
    assert len({p.brand.id for p in CATALOG.products.values()}) >= 15


def test_relations_lead_to_products_that_are_there():
    targets = {r.target_id for p in CATALOG.products.values() for r in p.relations}

    assert targets <= CATALOG.products.keys()


def test_every_manual_of_the_sample_catalogue_can_be_had():
    urls = [p.manual_url for p in CATALOG.products.values() if p.manual_url]

    assert len(urls) == len(samples.products())
    for url in urls:
        folder, _, name = url.rpartition("/")
        assert folder == samples.URL_FOLDER
        assert samples.read(name).startswith(b"%PDF-")


@pytest.mark.parametrize("name", sorted(samples.products()))
def test_every_page_says_that_it_is_a_sample(name):
    content = samples.read(name)

    pages = content.count(b"/Type /Page ")
    assert pages >= 5
    assert content.count(b"(SAMPLE, written for demonstrations") == pages


def test_a_manual_has_the_same_bytes_each_time():
    first = hashlib.sha256(samples.read("roland-td17kvx2.pdf")).hexdigest()
    samples.read.cache_clear()

    assert hashlib.sha256(samples.read("roland-td17kvx2.pdf")).hexdigest() == first


UNKNOWN = ["", "nothing.pdf", "../settings.py", "roland-td17kvx2", "roland-ne10.pdf"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_sample_is_refused(name):
    with pytest.raises(samples.NoSuchSample):
        samples.read(name)


def test_every_category_of_the_sample_has_a_text_of_its_own():
    assert "instrument" not in {samples.kind(p["category"]) for p in samples.products().values()}
    assert samples.kind("Theremin") == "instrument"


def test_writing_all_of_them_into_a_folder(tmp_path, capsys):
    assert samples.main([str(tmp_path)]) == 0

    assert len(list(tmp_path.glob("*.pdf"))) == len(samples.products())


def test_a_page_that_does_not_fit_is_told():
    with pytest.raises(ValueError, match="too long"):
        pdf.write("t", [[pdf.Block("body", "word " * 3000)]], "foot")


def test_catalogue_files_are_as_a_person_would_format_them():
    for path in store.bundled().glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n"
