"""The sample manuals, served from inside: `GET /samples/manuals/<product id>.pdf`."""

from fastapi import APIRouter, Response

from hscjit_app.errors import NotFound
from hscjit_app.manuals import samples

router = APIRouter()


@router.get(samples.URL_FOLDER + "/{name}", include_in_schema=False)
def read_sample(name: str) -> Response:
    """Return one sample manual; an unknown name answers 404."""
    try:
        content = samples.read(name)
    except samples.NoSuchSample as e:
        raise NotFound(str(e)) from e
    return Response(
        content, media_type="application/pdf", headers={"Cache-Control": "public, max-age=3600"}
    )
