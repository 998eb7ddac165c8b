"""The description of the API says of every operation what it takes and answers, with examples that hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from redis import Redis

from mastowatch.web import openapi, webhooks
from mastowatch.web.app import create_api
from tests.api_world import view_of

pytestmark = pytest.mark.redis
NO_KEY = {"/healthz", "/livez", "/readyz", webhooks.PATH}


@pytest.fixture
def document(redis: Redis) -> dict[str, Any]:
    return create_api(view_of(redis), "key").openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each request's and answer's form: where it stands, schema and example."""
    for path, method, operation in operations(document):
        at = f"{method} {path}"
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{at} {kind}", content
        for status, answer in operation["responses"].items():
            for kind, content in resolved(document, answer).get("content", {}).items():
                yield f"{at} {status} {kind}", content


def test_every_request_and_answer_has_an_example_that_fits_its_schema(document):
    found = list(examples(document))
    assert len(found) > 200, len(found)
    for where, content in found:
        example = content.get("example")
        schema = content.get("schema")
        if example is None and schema is not None:
            example = resolved(document, schema).get("example")
        assert example is not None, where
        if "text/" not in where:
            assert schema, where
            whole = {**schema, "components": document["components"]}
            wrong = [str(one) for one in jsonschema_rs.validator_for(whole, validate_formats=True).iter_errors(example)]
            assert not wrong, (where, wrong)


def test_every_example_shows_every_field(document):
    for where, content in examples(document):
        schema = resolved(document, content.get("schema", {}))
        if isinstance(content.get("example"), dict) and "properties" in schema and "problem+json" not in where:
            assert set(schema["properties"]) == set(content["example"]), where


def test_every_operation_is_named_and_told_of(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    tags = {one["name"] for one in document["tags"]}
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert all(operation[key] for key in ("summary", "description", "tags")), where
        assert set(operation["tags"]) <= tags, where
        assert "__" not in operation["operationId"], where


def test_every_operation_tells_how_it_is_refused(document):
    for path, method, operation in operations(document):
        answers = set(operation["responses"])
        assert (operation.get("security") in ([], [{"signature": []}])) == (path in NO_KEY), path
        if path in NO_KEY:
            continue
        wanted = {"401", "403", "503"}
        if method in ("post", "put", "delete"):
            wanted |= {"409", "413", "415", "422"}
        if "{" in path and method != "put":
            wanted |= {"404"} if "{action}" not in path else set()
        assert wanted <= answers, (method, path, wanted - answers)


def test_every_parameter_is_told_of(document):
    for path, method, operation in operations(document):
        for one in operation.get("parameters", ()):
            where = f"{method} {path} {one['name']}"
            assert one.get("description"), where
            assert {"type": "null"} not in one["schema"].get("anyOf", ()), where


def test_describes_the_webhook_which_stands_before_the_app(document):
    webhook = document["paths"][webhooks.PATH]["post"]
    assert set(webhook["responses"]) == {"202", "401", "403", "413", "422", "503"}


def test_all_references_lead_somewhere(document):
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                assert resolved(document, value)
            for one in value.values():
                walk(one)
        if isinstance(value, list):
            for one in value:
                walk(one)

    walk(document)
    assert openapi.Problem.__name__ in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
