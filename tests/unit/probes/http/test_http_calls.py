"""From a call of the plan to the bytes that the app sees, and back to what was not as expected."""

from __future__ import annotations

import json
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.http.calls import captures, is_plain, is_safe, request_of, unmet
from probes.http.variables import (
    CaptureError,
    NotCapturedError,
    check,
    fill,
    fill_body,
    fill_json,
    names_in,
)
from probes.model import HttpAnswer, HttpCall, HttpExpectation, NoAnswer, Page, Upload

VALUES = {"id": "42", "token": 'a"b'}


def asked(call: HttpCall, values=VALUES):
    return request_of(call, "http", 8080, values)


def answer(body: bytes = b"", status: int = 200, *headers) -> HttpAnswer:
    return HttpAnswer(status, headers, body, len(body), "0" * 64)


def test_variables_stand_in_paths_headers_bodies_forms_and_json():
    call = HttpCall("POST", "/items/{id}", headers={"X-Token": "<{token}>"}, body=b'{"id": {id}}')
    request = asked(call)
    assert request.page == Page("http", 8080, "/items/42")
    assert request.headers == (("X-Token", '<a"b>'),)
    assert request.body == b'{"id": 42}'
    assert asked(HttpCall("POST", form={"t": "{token}"})).body == b"t=a%22b"
    assert json.loads(asked(HttpCall("POST", json={"l": ["{token}"]})).body) == {"l": ['a"b']}


def test_the_path_may_come_from_a_location_header():
    values = {"place": "http://localhost:8080/items/7?x=1#top", "other": "items/8"}
    assert asked(HttpCall(path="{place}"), values).page.target == "/items/7?x=1"
    assert asked(HttpCall(path="{other}"), values).page.target == "/items/8"


def test_a_variable_that_was_not_captured():
    with pytest.raises(NotCapturedError, match="id was not captured"):
        asked(HttpCall(path="/items/{id}"), {"id": None})


def test_braces():
    assert fill("{{id}} {id} {unknown} {", VALUES) == "{id} 42 {unknown} {"
    assert fill_body(b'{"a":{"b":{}}} {{id}} {{x}}', VALUES) == b'{"a":{"b":{}}} {id} {{x}}'
    assert names_in("/{a}/{{b}}/{1}/{c}") == ("a", "c")


@given(st.text())
def test_without_variables_a_body_stays_as_it_is(text):
    assert fill_body(text.encode(), {}) == text.encode()
    assert fill_json({"k": [text]}, {}) == {"k": [text]}


def test_content_types():
    assert ("content-type", "application/json") in asked(HttpCall("POST", json=[1])).headers
    own = HttpCall("POST", json=[1], headers={"Content-Type": "application/ld+json"})
    assert asked(own).headers == (("Content-Type", "application/ld+json"),)


def test_an_upload_can_be_read_back_and_is_the_same_each_time():
    files = (Upload("doc", 'a"b.txt', b"line\r\n--x\r\n\x00\xff", "text/plain"),)
    call = HttpCall("POST", form={"title": "über"}, files=files)
    request = asked(call)
    assert request == asked(call)
    kind = dict(request.headers)["content-type"]
    parsed = message_from_bytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + request.body, policy=policy.HTTP
    )
    title, doc = parsed.iter_parts()
    assert title.get_payload(decode=True) == "über".encode()
    assert doc.get_payload(decode=True) == files[0].content
    assert doc.get_content_type() == "text/plain"


def test_which_calls_are_safe_to_repeat_and_plain():
    assert is_safe(HttpCall())
    assert is_safe(HttpCall("HEAD"))
    assert not is_safe(HttpCall("POST"))
    assert not is_safe(HttpCall(capture={"a": "header:x"}))
    assert is_plain(HttpCall())
    assert not is_plain(HttpCall(headers={"a": "b"}))
    assert not is_plain(HttpCall("HEAD"))


@pytest.mark.parametrize(
    ("expect", "given_answer", "word"),
    [
        (HttpExpectation(), answer(status=404), ""),
        (HttpExpectation(), answer(status=500), "below 500"),
        (HttpExpectation(status=(500,)), answer(status=500), ""),
        (HttpExpectation(status=(200, 201)), answer(status=204), "200 or 201"),
        (HttpExpectation(contains=("yes",)), answer(b"oh yes"), ""),
        (HttpExpectation(contains=("yes", "no")), answer(b"oh yes"), "'no'"),
        (HttpExpectation(headers={"ETag": "1"}), answer(b"", 200, ("etag", '"1"')), ""),
        (HttpExpectation(headers={"ETag": "2"}), answer(b"", 200, ("etag", '"1"')), "ETag"),
        (HttpExpectation(headers={"ETag": ""}), answer(), "no header ETag"),
        (HttpExpectation(), NoAnswer("refused"), "refused"),
    ],
)
def test_expectations(expect, given_answer, word):
    sentences = unmet(HttpCall(expect=expect), given_answer)
    assert bool(sentences) is bool(word)
    assert word in " ".join(sentences)


def test_captures():
    call = HttpCall(
        capture={
            "token": 'json:$.data[0]["the key"]',
            "number": "json:$.n",
            "place": "header:Location",
            "csrf": 'regex:name="csrf" value="([^"]+)"',
        }
    )
    body = b'{"data": [{"the key": "T"}], "n": 7, "html": "<input name=\\"csrf\\">"}'
    values, sentences = captures(call, answer(body, 201, ("location", "/x/7")))
    assert values == {"token": "T", "number": "7", "place": "/x/7", "csrf": None}
    assert len(sentences) == 1
    assert "csrf could not be captured" in sentences[0]
    page = answer(b'<input name="csrf" value="abc">')
    assert captures(call, page)[0]["csrf"] == "abc"
    assert set(captures(call, NoAnswer("x"))[0].values()) == {None}


@pytest.mark.parametrize("spec", ["json:$", "json:$.a['b'][3]", "header:x", "regex:a(b)c"])
def test_captures_that_are_understood(spec):
    check(spec)


@pytest.mark.parametrize(
    "spec", ["", "x", "json:a", "json:$..a", "json:$[x]", "header: ", "regex:", "regex:(", "xml:a"]
)
def test_captures_that_are_not(spec):
    with pytest.raises(CaptureError):
        check(spec)
