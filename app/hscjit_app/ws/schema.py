"""The wire format as JSON Schema, for programs in other languages: `GET /ws/schema`."""

from functools import cache
from typing import Any, get_args

from fastapi import APIRouter
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hscjit_app.ws import protocol
from hscjit_app.ws.protocol import VERSION, AnswerFrame, ClientMessage

router = APIRouter()

CLIENT: tuple[type[BaseModel], ...] = get_args(get_args(ClientMessage)[0])
SERVER: tuple[type[BaseModel], ...] = (
    protocol.Welcome,
    protocol.ResyncRequired,
    protocol.Prediction,
    *get_args(AnswerFrame),
)


@router.get("/ws/schema", tags=["protocol"])
async def read_schema() -> dict[str, Any]:
    """Return the JSON Schema of every message of /ws."""
    return schema()


@cache
def schema() -> dict[str, Any]:
    """Return one schema for any message; `$defs` has `ClientMessage` and `ServerMessage` apart."""
    _, found = models_json_schema([(model, "validation") for model in (*CLIENT, *SERVER)])
    for model in (*CLIENT, *SERVER):  # `type` has a default in our models, and never on the wire
        body = found["$defs"][model.__name__]
        body["required"] = ["type", *(name for name in body.get("required", ()) if name != "type")]
    for name, models in (("ClientMessage", CLIENT), ("ServerMessage", SERVER)):
        found["$defs"][name] = {"oneOf": [_ref(model.__name__) for model in models]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"HSC-JIT WebSocket protocol, version {VERSION}",
        "anyOf": [_ref("ClientMessage"), _ref("ServerMessage")],
        **found,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}
