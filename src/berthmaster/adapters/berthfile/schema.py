"""The JSON Schema of `berth.yaml` for editors, from the model that validates it."""

import json
from typing import Any

from berthmaster.adapters.berthfile.model import Berthfile


def berth_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    schema = Berthfile.model_json_schema()
    environments = schema["properties"]["environments"]
    full = environments["additionalProperties"]
    short = [{"type": "null"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    environments["additionalProperties"] = {"anyOf": [full, *short]}
    parity = schema["$defs"]["Rehearsal"]["properties"]["parity"]
    for paths in (schema["properties"]["smoke"], parity):
        paths["items"] = {"anyOf": [paths["items"], {"type": "string"}]}
    secret = schema["properties"]["secrets"]["additionalProperties"]
    kinds = {"$ref": "#/$defs/SecretKind"}
    schema["properties"]["secrets"]["additionalProperties"] = {
        "anyOf": [secret, {"type": "null"}, kinds]
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def render_schema() -> str:
    """The schema as text, as it is committed under `docs/reference`."""
    return json.dumps(berth_schema(), indent=2, sort_keys=True) + "\n"
