"""Links out of friendly and hostile pages."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.http.links import MOST_LINKS, is_destructive, links
from probes.http.urls import absolute, url_of
from probes.model import HttpAnswer, Page

PAGE = Page("http", 8080, "/dir/page")


def answer(text: str | bytes, kind: str = "text/html", status: int = 200, *headers) -> HttpAnswer:
    body = text if isinstance(text, bytes) else text.encode()
    digest = hashlib.sha256(body).hexdigest()
    return HttpAnswer(status, (("content-type", kind), *headers), body, len(body), digest)


def targets(text: str | bytes, kind: str = "text/html") -> list[str]:
    return [page.target for page in links(PAGE, answer(text, kind))]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="/x">', ["/x"]),
        ("<a href='next'>", ["/dir/next"]),
        ('<a href="../up#part">', ["/up"]),
        ('<a href="?page=2&amp;sort=a">', ["/dir/page?page=2&sort=a"]),
        ('<a href="http://localhost:8080/abs">', ["/abs"]),
        ('<a href="//127.0.0.1:8080/abs">', ["/abs"]),
        ('<a href="http://localhost:9090/other">', []),
        ('<a href="https://localhost:8080/tls">', []),
        ('<a href="http://example.org/">', []),
        ('<a href="http://user:pw@localhost:8080/">', []),
        ('<a href="javascript:alert(1)"><a href="data:text/html,x"><a href="mailto:a@b.c">', []),
        ('<a href="http://localhost:99999/"><a href="http://[::1/">', []),
        ('<a href=""><a href="#top"><a href="page">', []),
        ('<a href="/with space/ü">', ["/with%20space/%C3%BC"]),
        ('<a href="/x"><a href="/x"><a href="/x#y">', ["/x"]),
        ('<img src=/a.png srcset="/b.png 2x, /c.png 3x" data-src="/d.png">', "/a /d /b /c"),
        ('<script src="/s.js"></script><link rel=stylesheet href="/t.css">', ["/t.css", "/s.js"]),
        ('<video poster=/p.jpg><source src=/v.mp4></video><audio src="/w.ogg">', "/v /p /w"),
        ('<iframe src="/f"></iframe>', ["/f"]),
        ('<style>@import "/i.css"; a { background: url( "/bg.png" ) }</style>', "/i /bg"),
        ('<p style="background:url(/inline.png)">', ["/inline.png"]),
        ('<meta http-equiv="Refresh" content="0; url=/later">', ["/later"]),
        ('<base href="/base/"><a href="x">', ["/base/x"]),
        ('<base href="http://cdn.example/"><a href="x"><a href="/y">', []),
        ('<template><a href="/t"></template><!-- <a href="/comment"> -->', []),
    ],
)
def test_links_of_a_page(html, expected):
    found = targets(html)
    if isinstance(expected, str):
        assert [target.partition(".")[0] for target in found] == expected.split()
    else:
        assert found == expected


def test_a_get_form_is_asked_for_with_its_defaults():
    form = """<form action="/search?old=1"><input name=q value="a b"><input type=submit name=go>
    <input type=checkbox name=c checked><input type=checkbox name=d><input name=off disabled>
    <select name=s><option value=1>one<option selected>two</select><textarea name=t>x</textarea>
    </form>
    <form method=POST action="/save"><input name=q></form>"""
    assert targets(form) == ["/search?q=a+b&c=on&s=two&t=x"]


def test_a_redirect_is_a_link():
    moved = answer("", "text/html", 302, ("location", "/login?next=%2F"))
    assert [page.target for page in links(PAGE, moved)] == ["/login?next=%2F"]


def test_links_of_a_style_sheet():
    css = "@import url(more.css); .a{background:url('/img/a.png')} .b{src:url(data:font/woff2,x)}"
    assert targets(css, "text/css") == ["/dir/more.css", "/img/a.png"]


def test_other_media_have_no_links():
    assert targets('<a href="/x">', "text/plain") == []
    assert targets('{"href": "/x"}', "application/json") == []


@pytest.mark.parametrize(
    ("target", "destructive"),
    [
        ("/logout", True),
        ("/accounts/log-out/", True),
        ("/users/3/delete", True),
        ("/items?action=remove&id=3", True),
        ("/sign_out", True),
        ("/icons/delete.svg", False),
        ("/js/logout.js", False),
        ("/undeleted", False),
        ("/login", False),
        ("/catalog", False),
        ("/dropdown", False),
    ],
)
def test_links_that_take_something_away_are_not_followed(target, destructive):
    assert is_destructive(Page("http", 80, target)) is destructive


def test_a_page_with_very_many_links():
    html = "".join(f"<a href=/{number}>" for number in range(20_000))
    assert len(targets(html)) == MOST_LINKS


def test_a_page_that_is_not_utf8():
    assert targets('<a href="/é">'.encode("latin-1"), "text/html; charset=latin-1") == ["/%C3%A9"]
    assert len(targets(b'\xff\xfe<a href="/x">\x00\xff')) == 1
    assert targets(b'<a href="/x">', "text/html; charset=no-such-thing") == ["/x"]
    assert targets(b'<a href="/x">', "text/html; charset=rot13") == ["/x"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_link_is_inside_the_app_or_nothing(text):
    found = absolute(PAGE, text)
    assert found is None or (found.target.startswith("/") and found.target.isascii())
    if found is not None:
        assert absolute(found, url_of(found)) == found


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400), st.sampled_from(["text/html", "text/css", "text/html; charset=utf-16"])
)
def test_any_bytes_can_be_a_page(body, kind):
    for page in links(PAGE, answer(b"<a href='" + body + b"'><form action='" + body, kind)):
        assert (page.scheme, page.port) == ("http", 8080)
