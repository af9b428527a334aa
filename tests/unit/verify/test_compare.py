"""What counts as the same answer, and above all what does not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from probes.model import CommandAnswer, Exchange, HttpAnswer, NoAnswer
from slimpy.model import Sameness
from slimpy.verify.compare import compare, describe

SAME, DIFFERENT, BROKEN = Sameness.SAME, Sameness.DIFFERENT, Sameness.BROKEN


def page(body: str | bytes, kind: str = "text/html", status: int = 200, *headers) -> HttpAnswer:
    data = body if isinstance(body, bytes) else body.encode()
    digest = hashlib.sha256(data).hexdigest()
    return HttpAnswer(status, (("content-type", kind), *headers), data, len(data), digest)


def document(value) -> HttpAnswer:
    return page(json.dumps(value), "application/json")


def http(answer, again=None, **more) -> Exchange:
    return Exchange("GET /", "http", answer, again=again, **more)


def judge(fat, slim, again=None):
    """One comparison of two answers; ``again`` is what the original said the second time."""
    (found,) = compare([http(fat, again)], [http(slim)])
    assert (found.sameness is SAME) is (not found.differences)
    return found


@pytest.mark.parametrize(
    ("fat", "slim"),
    [
        ("at 2024-05-01T10:00:00Z", "at 2024-05-01T10:03:17Z"),
        ("at 2024-05-01 10:00:00.123", "at 2024-05-01 10:04:01.456"),
        ("Wed, 01 May 2024 10:00:00 GMT", "Wed, 01 May 2024 10:00:59 GMT"),
        ("Wed May  1 10:00:00 2024", "Wed May  1 10:00:59 2024"),
        ("[01/May/2024:23:59:59 +0000] x", "[02/May/2024:00:00:01 +0000] x"),
        ("01-May-2024 10:00 a.txt", "01-May-2024 10:01 a.txt"),
        ("today is 2024-05-01", "today is 2024-05-02"),
        ("now 1714557600", "now 1714557661"),
        ("now 1714557600123", "now 1714557661009"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-e89b-12d3-a456-426614174fff"),
        ("served by 0a1b2c3d4e5f", "served by f5e4d3c2b1a0"),
        ("object at 0x7f00deadbeef>", "object at 0x7f11cafe0000>"),
        ("from 172.17.0.2:43210", "from 172.17.0.3:51234"),
        ("from fe80::42:acff", "from fe80::43:acff"),
        ("mac 02:42:ac:11:00:02", "mac 02:42:ac:11:00:03"),
        ("took 12 ms", "took 9 ms"),
        ("rendered in 0.0123 seconds", "rendered in 0.2 seconds"),
        ("worker pid: 12 ready", "worker pid: 7 ready"),
        ("token eyJhbGciOi.eyJzdWIiOi.abc", "token eyJhbGciOi.eyJzdWIiOj.xyz"),
    ],
)
def test_what_differs_by_its_nature(fat, slim):
    assert judge(page(f"<p>{fat}</p>"), page(f"<p>{slim}</p>")).sameness is SAME
    assert (
        judge(page(f"<p>{fat}</p>"), page(f"<p>{slim}</p>"), page(f"<p>{fat}</p>")).sameness is SAME
    )
    found = judge(document({"a": fat}), document({"a": slim}))
    assert found.sameness is SAME


@pytest.mark.parametrize(
    ("fat", "slim"),
    [
        ("Hello Ada", "Hello Bob"),
        ("5 items", "6 items"),
        ("price 12.50", "price 12.5"),
        ("total 1714557600", "total 2914557600"),
        ("version 1.2.3", "version 1.2.4"),
        ("timeout 30 s", "timeout 10 s"),
        ("dns 8.8.8.8", "dns 8.8.4.4"),
        ("2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20+00:00"),
        ("2023-11-14 23:13:20", "2023-11-14 22:13:20"),
        ("2023-11-14T23:13:20Z", "1970-01-01T00:00:07Z"),
        ("14.11.2023", "11/14/2023"),
        ("1.234,50 €", "1,234.50 €"),
        ("Größe", "Gr??e"),
        ("<li>a</li><li>b</li><li>c</li>", "<li>a</li><li>c</li>"),
        ("<li>a</li>", "<li>a</li><li>b</li>"),
        ("b a", "a b"),
        ("page", ""),
        ("", "page"),
        ("all good", "Traceback (most recent call last):\n  File x, line 3"),
        ("id 0a1b2c3d4e5f", "id none"),
        ("took 12 ms", "took forever"),
        ("enabled: true", "enabled: false"),
        ("a  b", "a b"),
    ],
)
def test_what_is_a_difference(fat, slim):
    for again in (None, page(f"<p>{fat}</p>")):
        found = judge(page(f"<p>{fat}</p>"), page(f"<p>{slim}</p>"), again)
        assert found.sameness is DIFFERENT
        assert found.differences[0].startswith("the body differs: ")
    assert judge(document({"a": fat}), document({"a": slim})).sameness is DIFFERENT


CSRF = '<form><input name="csrf" value="{}"><b>{} visitors</b><p>welcome back</p></form>'


def test_what_the_app_changes_by_itself_may_differ():
    fat, again = page(CSRF.format("aB3xYz", 5)), page(CSRF.format("Qw9eRt", 6))
    assert judge(fat, page(CSRF.format("Zz1Zz2", 1)), again).sameness is SAME
    assert judge(fat, page(CSRF.format("Zz1Zz2", 1))).sameness is DIFFERENT


@pytest.mark.parametrize(
    "slim",
    [
        CSRF.format("Zz1Zz2", 1).replace("welcome", "farewell"),
        CSRF.format("Zz1Zz2", "no"),
        CSRF.format("Zz1Zz2", "1 error"),
        CSRF.format("Internal Server Error: cannot open file", 1),
        CSRF.format("Zz1Zz2", 1) + "<p>more</p>",
        "<h1>Error</h1>",
        "",
    ],
)
def test_but_nothing_else(slim):
    fat, again = page(CSRF.format("aB3xYz", 5)), page(CSRF.format("Qw9eRt", 6))
    assert judge(fat, page(slim), again).sameness is DIFFERENT


def test_random_text_with_marks_in_it():
    form = '<i nonce="{}"></i><p>stays</p>'
    fat, again = page(form.format("ab+c/9dEfGh12")), page(form.format("Zx9/q+LmNoPq1"))
    assert judge(fat, page(form.format("Mn4kLpQr/st+7")), again).sameness is SAME
    assert judge(fat, page(form.format("Mn4kLpQr/st+7")[:-14]), again).sameness is DIFFERENT


def test_long_pages_with_changes_at_both_ends():
    middle = "".join(f"<li>item {number}</li>\n" for number in range(8000))
    form = "<b>token-{}</b>" + middle + "<i>{}</i>"
    fat, again = page(form.format("aaa1", 1)), page(form.format("bbbb22", 2))
    assert judge(fat, page(form.format("cc3", 3)), again).sameness is SAME
    broken = form.format("cc3", 3).replace("item 4000<", "item lost<")
    assert judge(fat, page(broken), again).sameness is DIFFERENT
    shorter = form.format("cc3", 3).replace("<li>item 4000</li>\n", "")
    assert judge(fat, page(shorter), again).sameness is DIFFERENT


def test_status():
    assert judge(page("x"), page("x", status=500)).sameness is DIFFERENT
    flaky = judge(page("x"), page("slow down", status=429), page("slow down", status=429))
    assert flaky.sameness is SAME


def test_content_type():
    found = judge(page("x", "text/html; charset=UTF-8"), page("x", "text/html; charset=utf-8"))
    assert found.sameness is SAME
    for kind in ("text/plain; charset=utf-8", "text/html", "text/html; charset=latin-1"):
        assert judge(page("x", "text/html; charset=utf-8"), page("x", kind)).sameness is DIFFERENT


def test_redirects():
    def moved(place):
        return page("", "text/html", 302, ("location", place))

    same = [("/a", "/a"), ("http://localhost:49153/a", "http://127.0.0.1:49154/a")]
    same += [("/i/123e4567-e89b-12d3-a456-426614174000", "/i/00000000-e89b-12d3-a456-426614174000")]
    for fat, slim in same:
        assert judge(moved(fat), moved(slim)).sameness is SAME
    different = [("/a", "/b"), ("/a?x=1", "/a?x=2"), ("http://a.example/", "http://b.example/")]
    for fat, slim in [*different, ("/a", "http://[bad")]:
        assert judge(moved(fat), moved(slim)).sameness is DIFFERENT


def test_cookies_are_compared_by_name():
    def cookie(*values):
        return page("x", "text/html", 200, *(("set-cookie", value) for value in values))

    assert judge(cookie("sid=1; Path=/"), cookie("sid=2; Path=/")).sameness is SAME
    found = judge(cookie("sid=1", "lang=en"), cookie("lang=en"))
    assert found.differences == ("sets the cookies “lang” instead of the cookies “lang”, “sid”",)


@pytest.mark.parametrize(
    ("fat", "slim", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": None}, False),
        ({"a": 1}, {}, False),
        ({"a": 1}, {"a": 1, "error": "x"}, False),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": [1]}, {"a": []}, False),
        ({"at": 1714557600}, {"at": 1714557611}, True),
        ({"at": 1714557600.25}, {"at": 1714557611.5}, True),
        ({"at": 1714557600}, {"at": 1714561200}, False),
        ({"pid": 9, "uptimeSeconds": 4}, {"pid": 1, "uptimeSeconds": 2}, True),
        ({"rapid": 9}, {"rapid": 1}, False),
        ({"status": "ok"}, {"status": "error"}, False),
        ([], {}, False),
        ({"deep": [{"x": [{"y": "a"}]}]}, {"deep": [{"x": [{"y": "b"}]}]}, False),
    ],
)
def test_json(fat, slim, same):
    assert (judge(document(fat), document(slim)).sameness is SAME) is same
    assert (judge(document(fat), document(slim), document(fat)).sameness is SAME) is same


@pytest.mark.parametrize(
    ("fat", "again", "slim", "same"),
    [
        ({"hits": 1}, {"hits": 2}, {"hits": 9}, True),
        ({"hits": 1}, {"hits": 2}, {"hits": "none"}, False),
        ({"quote": "to be"}, {"quote": "or not"}, {"quote": "that is"}, True),
        ({"n": None}, {"n": 3}, {"n": 4}, True),
        ({"n": None}, {"n": 3}, {"n": "x"}, False),
        ({"l": [1]}, {"l": [1, 2]}, {"l": [1, 2, 3]}, True),
        ({"l": [1]}, {"l": [1, 2]}, {"l": []}, False),
        ({"a1": 1}, {"b2": 1}, {"c3": 1}, True),
        ({"hits": 1, "ok": True}, {"hits": 2, "ok": True}, {"hits": 3, "ok": False}, False),
    ],
)
def test_json_that_changes_by_itself(fat, again, slim, same):
    assert (judge(document(fat), document(slim), document(again)).sameness is SAME) is same


def test_json_that_is_too_deep_or_none():
    deep = "[" * 3000 + "]" * 3000
    assert judge(page(deep, "application/json"), page(deep + " ", "application/json"))
    cut = page('{"a": 1', "application/json")
    assert judge(cut, page('{"a": 2', "application/json")).sameness is DIFFERENT


def test_the_place_of_a_difference_in_json_is_named():
    found = judge(document({"users": [{"name": "a"}]}), document({"users": [{"name": "b"}]}))
    assert found.differences == (
        "the body differs: $.users[0].name: “b” instead of “a” (near “…”)",
    )


def test_binary_bodies():
    png, other = b"\x89PNG\0abc", b"\x89PNG\0xyz"
    kind = "image/png"
    assert judge(page(png, kind), page(png, kind)).sameness is SAME
    assert judge(page(png, kind), page(other, kind)).sameness is DIFFERENT
    assert judge(page(png, kind), page(other, kind), page(b"\x89PNG\0123", kind)).sameness is SAME
    assert judge(page(png, kind), page(b"oops", kind), page(other, kind)).sameness is DIFFERENT


def test_what_lies_beyond_the_kept_part_counts():
    fat = replace(page("x" * 100), size=1000, sha256="1" * 64)
    slim = replace(fat, sha256="2" * 64)
    assert judge(fat, slim, fat).sameness is DIFFERENT
    assert judge(fat, slim, replace(fat, sha256="3" * 64)).sameness is SAME
    assert judge(fat, replace(slim, size=100), replace(fat, sha256="3" * 64)).sameness is DIFFERENT


def test_metrics_are_compared_by_name():
    kind = "text/plain; version=0.0.4"
    fat = page('# HELP a x\na{b="c d"} 1.5e3\nb 2 1714557600\n', kind)
    assert judge(fat, page('# HELP a x\na{b="c d"} 7\nb 3 1714557601\n', kind)).sameness is SAME
    assert judge(fat, page("# HELP a x\nb 3 1714557601\n", kind)).sameness is DIFFERENT


def test_streams_are_compared_by_their_head():
    kind = "text/event-stream"
    assert judge(page("", kind), page("data: 1", kind)).sameness is SAME


def test_compare_status_only():
    fat = http(page("a"), compare="status")
    (found,) = compare([fat], [http(page("b", "text/plain"))])
    assert found.sameness is SAME
    (found,) = compare([fat], [http(page("b", status=404))])
    assert found.sameness is DIFFERENT


def test_expectations_that_only_the_slim_image_misses():
    fat, slim = http(page("a")), http(page("a"), unmet=("the body does not contain 'b'",))
    (found,) = compare([fat], [slim])
    assert found.sameness is DIFFERENT
    assert found.differences == slim.unmet
    (found,) = compare([slim], [slim])
    assert found.sameness is SAME


def test_captured_values_may_differ():
    def run(token, answer):
        login = http(document({"token": token, "n": 1}), captured=(("t", token),))
        return [login, replace(http(page(answer)), name="me")]

    fat, slim = (
        run("blue-sky-horse", "you are blue-sky-horse"),
        run("red-moon-cat", "you are red-moon-cat"),
    )
    assert [item.sameness for item in compare(fat, slim)] == [SAME, SAME]
    wrong = run("red-moon-cat", "you are green-sea-dog")
    assert [item.sameness for item in compare(fat, wrong)] == [SAME, DIFFERENT]


def test_answers_that_are_not_there():
    gone = NoAnswer("the app ended with exit code 1", "ended")
    refused = NoAnswer("refused", "unreachable")
    pairs = [
        (page("x"), refused, BROKEN),
        (page("x"), gone, BROKEN),
        (refused, page("x"), DIFFERENT),
        (refused, refused, SAME),
        (refused, gone, BROKEN),
        (gone, gone, SAME),
    ]
    for fat, slim, expected in pairs:
        (found,) = compare([http(fat)], [http(slim)])
        assert found.sameness is expected
        assert found.differences


def test_exchanges_that_only_one_run_has():
    one, two = http(page("x")), replace(http(page("x")), name="other")
    found = compare([one], [two])
    assert [(item.name, item.sameness) for item in found] == [
        ("GET /", BROKEN),
        ("other", DIFFERENT),
    ]
    assert compare([], []) == ()


def test_a_name_that_was_given_twice():
    fat = [http(page("a")), http(page("b"))]
    assert [item.sameness for item in compare(fat, fat)] == [SAME, SAME]
    assert [item.sameness for item in compare(fat, fat[::-1])] == [DIFFERENT, DIFFERENT]
    assert [item.sameness for item in compare(fat, fat[:1])] == [SAME, BROKEN]


def command(out=b"", code=0, err=b"", files=()):
    return Exchange("run", "run", CommandAnswer(code, out, err, files))


@pytest.mark.parametrize(
    ("fat", "slim", "sameness"),
    [
        (command(b"a\n"), command(b"a\n"), SAME),
        (command(b"a\n"), command(b"b\n"), DIFFERENT),
        (command(b"a\n"), command(b""), DIFFERENT),
        (command(code=0), command(code=127), DIFFERENT),
        (command(err=b"warned"), command(err=b"other"), SAME),
        (command(b"at 10:00:00"), command(b"at 10:01:02"), SAME),
        (command(b'{"a": 1, "b": 2}'), command(b'{"b": 2, "a": 1}'), SAME),
        (command(b"\0\1"), command(b"\0\2"), DIFFERENT),
        (command(b"\xff\xfe"), command(b"\xff\xfd"), DIFFERENT),
        (command(files=(("/o", b"x"),)), command(files=(("/o", b"x"),)), SAME),
        (command(files=(("/o", b"x"),)), command(files=(("/o", b"y"),)), DIFFERENT),
        (command(files=(("/o", b"x"),)), command(files=(("/o", None),)), DIFFERENT),
        (command(files=(("/o", b"x"),)), command(), DIFFERENT),
        (command(files=(("/o", None),)), command(files=(("/o", b""),)), DIFFERENT),
        (command(files=(("/o", None),)), command(files=(("/o", None),)), SAME),
    ],
)
def test_commands(fat, slim, sameness):
    (found,) = compare([fat], [slim])
    assert found.sameness is sameness


def test_other_words_on_stderr_are_a_note():
    (found,) = compare([command(err=b"one")], [command(err=b"two")])
    assert found.differences == ("note: stderr differs: “two” instead of “one” (near “…”)",)


def test_a_command_compared_by_its_exit_code():
    fat = replace(command(b"a"), compare="status")
    assert compare([fat], [command(b"b")])[0].sameness is SAME
    assert compare([fat], [command(b"a", 1)])[0].sameness is DIFFERENT


def test_differences_are_safe_to_show():
    found = judge(page("<p>ok</p>"), page("<p>\x1b[2J\x07 evil" + "y" * 5000 + "</p>"))
    assert all(text.isprintable() and len(text) < 400 for text in found.differences)
    assert describe(page("x", "text/\x1bhtml")).isprintable()
    assert describe(NoAnswer("\x1b[2J")).isprintable()


PARTS = """
<p> </p> 2024-05-01T10:00:00Z 0a1b2c3d4e5f 12 word { } 172.17.0.2:80 1714557600 aB3xYz +
/ , [1] "a":
"""
PIECES = [*PARTS.split(), "\n", " ", "\0", "\u202e"]
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(["text/html", "application/json", "", "image/png"]), TEXTS)
def test_an_answer_is_the_same_as_itself(text, kind, other):
    answer = page(text, kind)
    assert judge(answer, answer).sameness is SAME
    assert judge(answer, answer, page(other, kind)).sameness is SAME


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from(["again", "", "zebra"]))
def test_a_changed_word_is_a_difference(before, after, word):
    fat, slim = f"{before} unique-word {after}", f"{before} unique-{word} {after}"
    assume("unique-" not in before + after)
    assert judge(page(fat), page(slim)).sameness is DIFFERENT
    assert judge(page(fat), page(slim), page(fat)).sameness is DIFFERENT
    assert judge(document({"a": [fat]}), document({"a": [slim]})).sameness is DIFFERENT


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_any_three_answers_can_be_compared(fat, again, slim):
    for kind in ("text/html", "application/json"):
        judge(page(fat, kind), page(slim, kind), page(again, kind))


@pytest.mark.parametrize("size", [3_000, 30_000])
def test_hostile_texts_are_compared_in_bounded_work(size):
    """Alike words without lines, in another order and of another length: nothing to align by."""
    fat, slim = "a b " * size, "b a c " * size
    assert judge(page(fat), page(slim), page("c " * size)).sameness in (SAME, DIFFERENT)
    assert judge(page(fat), page(slim)).sameness is DIFFERENT
