"""The report's page as people see it, in a real Chromium: hostile names, keys, phones, paper."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import JavascriptException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from benchmarks.browser import chromium, prefer, resize
from slimpy.image.tree import Tree
from slimpy.keep.coverage import Coverage
from slimpy.keep.coverage_routes import Route
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule, display
from slimpy.report.document import build
from slimpy.report.html.page import page
from slimpy.report.schema import HistoryFacts, RoundFacts
from slimpy.report.tsv import escape
from tests.e2e.test_samples import slimmed
from tests.polling import eventually
from tests.unit.report.making import BAD, outcome

pytestmark = pytest.mark.e2e

ATTACKS = (
    "</script><script>window.ran=1<",
    "<img src=x onerror=window.ran=1>",
    '"><svg onload="window.ran=1">',
    "' onmouseover='window.ran=1",
    "]]><script>window.ran=1",
    "<!--<script>",
    "javascript:window.ran=1",
    "\u202egnp.exe",
    "\udcff\udcfe",
    "line\nbreak\ttab\x1b[31m",
    "\u05e9\u05dc\u05d5\u05dd.txt",
    "&lt;b&gt;",
    "constructor",
    "__proto__",
)
"""Names as components of paths; a slash in one makes a directory of its beginning."""

P = ImagePath


def hostile_tree() -> Tree:
    """A small image with ordinary directories and every attack, kept and removed."""
    files = [
        Entry(P(f"/usr/lib/package{n % 20}/file{n}.so"), FileType.FILE, size=1000 * n)
        for n in range(400)
    ]
    evil = [
        Entry(P(f"/{top}/{name}"), FileType.FILE, size=50_000)
        for top in ("evil", "bad")
        for name in ATTACKS
    ]
    return Tree([*files, *evil, Entry(P("/usr/link"), FileType.LINK, target="lib")])


TREE = hostile_tree()
KEPT = [
    entry.path
    for entry in TREE
    if entry.path.startswith(("/evil", "/usr/lib/package1/", "/usr/lib/package2/"))
]
KEEP = KeepSet(
    {
        path: (
            Reason(Rule.TOUCHED, path, f"open by {path}"),
            *(Reason(Rule.LISTED, name, name) for name in ATTACKS[:3]),
        )
        for path in KEPT
    }
    | {P("/usr/lib"): (Reason(Rule.PARENT),)}
)
OWNERS = {P(f"/usr/lib/package3/file{n}.so"): f"three {ATTACKS[0]}" for n in range(400)}


def hostile_page(verdict: Any = BAD) -> str:
    """The page of a failed build in which every text is an attack."""
    evil = "".join(ATTACKS)
    image = dataclasses.replace(outcome().image, reference=evil, config={"Cmd": list(ATTACKS)})
    coverage = Coverage(
        routes=(Route("GET", ATTACKS[0], ATTACKS[1], ()),),
        probe_these=("- GET /first", f"- GET {escape(ATTACKS[1])}"),
    )
    comparisons = tuple(
        dataclasses.replace(item, name=name, fat=name, differences=(name,))
        for item, name in zip(verdict.comparisons, ATTACKS, strict=False)
    )
    whole = dataclasses.replace(
        outcome(dataclasses.replace(verdict, comparisons=comparisons, causes=ATTACKS)),
        image=image,
        tree=TREE,
        keep=KEEP,
        coverage=coverage,
        tag=evil,
        widened=ATTACKS,
        history=tuple(
            HistoryFacts(f"RUN {name} {'x ' * 200 * (n % 2)}", "", n * 1000, False, n + 1)
            for n, name in enumerate(map(display, ATTACKS))
        ),
        rounds=(RoundFacts(1, 1, 3, ATTACKS),),
    )
    return "".join(page(build(whole), KEEP, TREE, OWNERS))


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """One browser for all tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile page on disk, as it is opened."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(hostile_page(), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Chrome, file: Path) -> Chrome:
    """The page, ready, on a desktop in light colours."""
    return opened_at(browser, file)


def opened_at(browser: Chrome, path: Path, *, width: int = 1280, scheme: str = "light") -> Chrome:
    """A page, ready; no one has chosen colours before."""
    prefer(browser, scheme)
    resize(browser, width, 900, phone=width < 700)
    browser.get(path.as_uri())
    browser.execute_script("localStorage.clear()")
    browser.get(path.as_uri())
    eventually(lambda: script(browser, "document.documentElement.dataset.state"), timeout=20)
    return browser


def script(browser: Chrome, expression: str) -> Any:
    """The value of an expression in the page."""
    return browser.execute_script(f"return {expression}")


def find(browser: Chrome, selector: str) -> WebElement:
    """The first element of a selector."""
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser: Chrome, selector: str) -> list[str]:
    """The texts of all elements of a selector."""
    return script(browser, f"[...document.querySelectorAll({selector!r})].map(e => e.textContent)")


def click(browser: Chrome, selector: str) -> None:
    """A click by script: where it lies in the window does not matter."""
    browser.execute_script("arguments[0].click()", find(browser, selector))


def listed(browser: Chrome) -> list[str]:
    """The paths of the list that can be seen, from the top."""
    return script(
        browser,
        "[...document.querySelectorAll('.row')].map(row =>"
        " row.querySelector('.above').textContent + row.querySelector('.base').textContent)",
    )


def search(browser: Chrome, words: str) -> None:
    """Type into the search field, in place of what is there."""
    field = find(browser, "#search")
    field.clear()
    field.send_keys(words or " ")


def found(browser: Chrome) -> str:
    """What the list says of itself."""
    return find(browser, "#found").text


def test_hostile_names_are_shown_and_never_run(opened: Chrome) -> None:
    search(opened, "evil")
    click(opened, "input[name=which][value=kept]")
    paths = {escape(f"/evil/{name}") for name in ATTACKS}
    assert paths <= set(listed(opened))
    for row in range(len(paths)):
        click(opened, f"#row-{row}")
    for choice in ("package", "directory"):
        click(opened, f"input[name=group][value={choice}]")
        for cell in opened.find_elements(By.CSS_SELECTOR, "#treemap svg > .cell")[:12]:
            opened.execute_script(
                "arguments[0].dispatchEvent(new PointerEvent('pointermove',"
                " {bubbles: true, clientX: 99, clientY: 99}))",
                cell,
            )
    assert script(opened, "window.ran === undefined")
    assert script(opened, "document.scripts.length") == 2
    assert script(opened, "document.images.length") == 0
    assert opened.get_log("browser") == []
    assert script(opened, "performance.getEntriesByType('resource').length") == 0


def test_a_script_that_got_in_would_not_run(browser: Chrome, file: Path, tmp_path: Path) -> None:
    got_in = '<script>window.ran = 1</script><img src="x" onerror="window.ran = 2">'
    spoilt = tmp_path / "spoilt.html"
    text = file.read_text(encoding="utf-8")
    spoilt.write_text(text.replace("</main>", f"{got_in}</main>"), encoding="utf-8")
    opened_at(browser, spoilt)
    assert script(browser, "window.ran === undefined")
    with pytest.raises(JavascriptException, match="TrustedHTML"):
        browser.execute_script("document.body.innerHTML = '<b>x</b>'")
    told = " ".join(item["message"] for item in browser.get_log("browser"))
    assert "script-src" in told and "default-src 'none'" in told


def test_the_lists_are_those_of_the_report(opened: Chrome) -> None:
    removed = [entry for entry in TREE if entry.path not in KEEP and entry.path != "/"]
    size = sum(entry.size for entry in removed) / 1e6
    assert found(opened) == f"{len(removed)} paths removed, {size:.1f} MB"
    largest = sorted(removed, key=lambda entry: -entry.size)
    assert listed(opened)[:9] == [escape(entry.path) for entry in largest[:9]]
    click(opened, "input[name=which][value=kept]")
    assert found(opened).startswith(f"{len(KEEP.reasons)} paths kept, ")


def test_search_takes_all_words_in_paths_and_packages(opened: Chrome) -> None:
    search(opened, "FILE2 package3 .so")
    paths = [e.path for e in TREE if re.match(r"/usr/lib/package3/file2", e.path)]
    assert paths and sorted(listed(opened)) == sorted(paths)
    search(opened, "three")
    assert all("/package3/" in path for path in listed(opened))
    search(opened, "nothing-has-this-name")
    assert listed(opened) == []
    assert found(opened).startswith("0 of ")


def test_the_list_is_sorted_by_any_column(opened: Chrome) -> None:
    search(opened, "package4 .so")
    click(opened, "[data-sort=path]")
    assert find(opened, "[aria-sort=ascending]").text.startswith("Path")
    assert listed(opened) == sorted(listed(opened))
    click(opened, "[data-sort=path]")
    assert find(opened, "[aria-sort=descending]").text.startswith("Path")
    assert listed(opened) == sorted(listed(opened), reverse=True)
    click(opened, "[data-sort=size]")
    click(opened, "[data-sort=size]")
    numbers = [int(re.findall(r"\d+", path)[-1]) for path in listed(opened)]
    assert len(numbers) == 20 and numbers == sorted(numbers)


def test_a_long_list_is_drawn_where_it_is_seen(opened: Chrome) -> None:
    assert len(listed(opened)) < 40
    first = listed(opened)
    opened.execute_script("const w = document.querySelector('.window'); w.scrollTop = 1e9")
    eventually(lambda: listed(opened) != first, timeout=5)
    last = script(opened, "document.querySelector('.rows').lastElementChild.ariaRowIndex")
    assert last == find(opened, "#grid").get_attribute("aria-rowcount")


def test_the_list_is_walked_with_keys(opened: Chrome) -> None:
    grid = find(opened, "#grid")
    grid.send_keys(Keys.END)
    last = script(opened, "document.querySelector('.row[aria-selected=true]').id")
    assert grid.get_attribute("aria-activedescendant") == last
    grid.send_keys(Keys.HOME, Keys.ARROW_DOWN, Keys.ENTER)
    assert script(opened, "document.querySelector('.row[aria-selected=true]').id") == "row-1"
    assert listed(opened)[1] in find(opened, "#detail").text
    grid.send_keys(Keys.ESCAPE)
    assert not find(opened, "#detail").is_displayed()


def test_a_rule_shows_what_it_keeps(opened: Chrome) -> None:
    click(opened, "[data-rule=listed] button")
    assert found(opened).startswith(f"{len(KEPT)} of {len(KEEP.reasons)} paths kept")
    click(opened, "#row-0")
    detail = find(opened, "#detail").text
    assert "touched" in detail and "listed" in detail and ATTACKS[0] in detail


def test_the_map_opens_directories_and_goes_back(opened: Chrome) -> None:
    assert texts(opened, ".crumb") == ["/"]
    click(opened, "#map-table tbody tr:first-child button")
    assert texts(opened, ".crumb") == ["/", "usr"]
    cell = find(opened, "#treemap .cell")
    assert cell.get_attribute("aria-label").startswith("/usr/lib: ")
    opened.execute_script("arguments[0].focus()", cell)
    cell.send_keys(Keys.ENTER)
    assert texts(opened, ".crumb") == ["/", "usr", "lib"]
    active = opened.switch_to.active_element
    assert active.get_attribute("role") == "button"
    active.send_keys(Keys.ARROW_RIGHT)
    second = opened.switch_to.active_element
    assert second.get_attribute("aria-label") != active.get_attribute("aria-label")
    stops = "[...document.querySelectorAll('#treemap svg')].map(svg =>" + (
        " svg.querySelectorAll('[tabindex=\"0\"]').length)"
    )
    assert script(opened, stops) == [1, 1], "one stop of the tab key in each map"
    second.send_keys(Keys.ESCAPE)
    assert texts(opened, ".crumb") == ["/", "usr"]
    click(opened, "#list-these")
    assert find(opened, "#narrowed").text.startswith("Only below /usr.")
    assert all(path.startswith("/usr/") for path in listed(opened))


AREAS = """[...document.querySelectorAll('#treemap svg')].map(svg => ['kept', 'removed'].map(
  kind => [...svg.querySelectorAll('rect.' + kind)]
    .reduce((sum, r) => sum + r.width.baseVal.value * r.height.baseVal.value, 0)))"""


def test_the_maps_figures_are_those_of_the_tree(opened: Chrome) -> None:
    files = [entry for entry in TREE if entry.type is FileType.FILE]
    kept = sum(entry.size for entry in files if entry.path in KEEP) / 1e6
    gone = sum(entry.size for entry in files if entry.path not in KEEP) / 1e6
    note = find(opened, "#map-note").text
    assert f"{kept:.1f} MB kept" in note and f"{gone:.1f} MB removed" in note
    before, after = script(opened, AREAS)
    assert before[0] / sum(before) == pytest.approx(kept / (kept + gone), abs=0.03)
    assert after[0] > 0 and after[1] == 0
    captions = texts(opened, "#treemap figcaption")
    assert captions[0] == f"Before {kept + gone:.1f} MB"
    assert captions[1] == f"After {kept:.1f} MB areas drawn {(kept + gone) / kept:.1f}× larger"
    for side, has_removed in (("before", True), ("after", False)):
        click(opened, f"input[name=side][value={side}]")
        ((_, removed),) = script(opened, AREAS)
        assert (removed > 0) is has_removed
        assert not find(opened, "#scale").is_displayed()


def test_at_the_same_scale_a_byte_is_as_large_in_both_maps(opened: Chrome) -> None:
    boxes = script(opened, "document.querySelectorAll('#treemap svg').length")
    click(opened, "input[name=scale][value=equal]")
    assert boxes == 2
    sizes = "[...document.querySelectorAll('#treemap svg')].map(svg => svg.viewBox.baseVal.width)"
    assert len(set(script(opened, sizes))) == 1
    (kept, gone), (after, _) = script(opened, AREAS)
    assert after == pytest.approx(kept, rel=0.35)  # titles and frames take their part of it
    assert after < 0.3 * (kept + gone)
    assert "at the scale of before" in texts(opened, "#treemap figcaption")[1]


def pointed(browser: Chrome, svg: int, name: str) -> list[str | None]:
    """Point at a box of one of the maps; around which box there is a ring, in each map."""
    return browser.execute_script(
        """
        const maps = [...document.querySelectorAll('#treemap svg')];
        const cells = [...maps[arguments[0]].querySelectorAll('.cell')];
        cells.find((one) => one.getAttribute('aria-label')?.startsWith(arguments[1]))
          .dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 9, clientY: 9}));
        return maps.map((map) => {
          const ring = map.querySelector('.ring');
          if (ring.getAttribute('visibility') !== 'visible') return null;
          const box = ring.getBoundingClientRect();
          const inside = (one) => ['left', 'top', 'right', 'bottom']
            .every((side) => Math.abs(one[side] - box[side]) < 4);
          return [...map.querySelectorAll('.cell[aria-label]')]
            .find((one) => inside(one.getBoundingClientRect()))?.getAttribute('aria-label') ?? '?';
        });
        """,
        svg,
        name,
    )


def test_both_maps_show_what_is_pointed_at_and_open_together(opened: Chrome) -> None:
    for svg in (0, 1):
        before, after = pointed(opened, svg, "/evil")
        assert before == after and after is not None and after.startswith("/evil: ")
    usr, gone = pointed(opened, 0, "/bad")
    assert usr is not None and usr.startswith("/bad: ")
    assert gone is None, "nothing of it ships, so there is no box to mark"
    opened.execute_script(
        "document.querySelector('#treemap').dispatchEvent(new PointerEvent('pointerleave'))"
    )
    assert script(opened, "document.querySelectorAll('.ring[visibility=visible]').length") == 0
    opened.execute_script(
        "[...document.querySelectorAll('#treemap svg')][1].querySelector('.cell')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    place = texts(opened, ".crumb")
    labels = script(
        opened,
        "[...document.querySelectorAll('#treemap svg')].map(svg => svg.ariaLabel)",
    )
    assert len(place) == 2
    assert labels == [f"Map of /{place[1]}, before", f"Map of /{place[1]}, after"]
    focused = script(
        opened,
        "[...document.querySelectorAll('#treemap svg')].findIndex("
        "svg => svg.contains(document.activeElement))",
    )
    assert focused in (0, 1)


def test_what_is_gone_altogether_is_said_in_the_map(opened: Chrome) -> None:
    row = next(n for n, name in enumerate(texts(opened, "#map-table th.path")) if name == "bad")
    click(opened, f"#map-table tbody tr:nth-child({row + 1}) button")
    after = opened.find_elements(By.CSS_SELECTOR, "#treemap svg")[1]
    assert after.text == "nothing of it ships"
    assert texts(opened, "#treemap figcaption")[1] == "After 0 B"


@pytest.mark.parametrize(("width", "is_beside"), [(390, False), (1280, True)])
def test_the_maps_stand_side_by_side_where_there_is_room(
    browser: Chrome, file: Path, width: int, is_beside: bool
) -> None:
    opened_at(browser, file, width=width)
    one, other = (svg.rect for svg in browser.find_elements(By.CSS_SELECTOR, "#treemap svg"))
    assert one["width"] == other["width"] > 250
    assert (one["y"] == other["y"]) is is_beside
    assert (one["x"] == other["x"]) is not is_beside


def test_a_long_instruction_unfolds(opened: Chrome) -> None:
    whole = "document.querySelector('#layers details > p')"
    assert script(opened, f"{whole}.checkVisibility()") is False
    click(opened, "#layers summary")
    assert script(opened, f"{whole}.checkVisibility()") is True
    assert "x " * 199 in script(opened, f"{whole}.textContent")
    assert len(opened.find_elements(By.CSS_SELECTOR, "#layers tbody tr")) == len(ATTACKS)


def test_the_map_by_package(opened: Chrome) -> None:
    click(opened, "input[name=group][value=package]")
    names = texts(opened, "#map-table tbody th")
    assert names == ["no package", f"three {ATTACKS[0]}"]
    click(opened, "#map-table tbody tr:nth-child(2) button")
    click(opened, "#list-these")
    assert listed(opened) and all("/package3/" in path for path in listed(opened))


ODD = {
    "nothing at all": [],
    "one empty file": [Entry(P("/a"), FileType.FILE)],
    "one file": [Entry(P("/a"), FileType.FILE, size=1)],
    "very deep": [Entry(P("/x" * 3000 + "/end"), FileType.FILE, size=5)],
    "many in one place": [
        Entry(P(f"/all/{n}"), FileType.FILE, size=n % 7 + 1) for n in range(20_000)
    ],
    "more bytes than can be counted": [
        Entry(P(f"/{n}"), FileType.FILE, size=2**63) for n in range(3)
    ],
}


@pytest.mark.parametrize("shape", ODD)
def test_odd_images_open(browser: Chrome, tmp_path: Path, shape: str) -> None:
    tree = Tree(ODD[shape])
    report = build(dataclasses.replace(outcome(None, slim=None, tag=""), tree=tree))
    path = tmp_path / "report.html"
    path.write_text("".join(page(report, KeepSet({}), tree, {})), encoding="utf-8")
    opened_at(browser, path)
    assert script(browser, "document.documentElement.dataset.state") == "ready"
    assert found(browser).startswith(f"{len(tree) - 1:,} paths removed")
    choices = ("group][value=package", "scale][value=equal", "side][value=after")
    for choice in (*choices, "side][value=both", "group][value=directory"):
        click(browser, f"input[name={choice}]")
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(browser: Chrome, file: Path, scheme: str) -> None:
    opened_at(browser, file, scheme=scheme)
    click(browser, "input[name=which][value=kept]")
    click(browser, "#row-0")
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert browser.execute_script(CONTRAST) == []


CONTRAST = """
const number = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = number(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const bad = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest("svg, script, style, noscript")) continue;
  if (!element.checkVisibility() || element.closest(".unseen")) continue;
  seen += 1;
  const both = [light(number(getComputedStyle(element).color)), light(ground(element))].sort();
  const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  const large = parseFloat(getComputedStyle(element).fontSize) >= 24;
  if (ratio < (large ? 3 : 4.5)) bad.push([walker.currentNode.data.trim(), ratio]);
}
return seen > 200 ? bad : ["too little was looked at", seen];
"""


def test_colours_follow_the_system_and_the_button(browser: Chrome, file: Path) -> None:
    def ground() -> str:
        return script(browser, "getComputedStyle(document.body).backgroundColor")

    opened_at(browser, file, scheme="light")
    light = ground()
    prefer(browser, "dark")
    dark = ground()
    assert light != dark
    click(browser, "#theme")
    assert ground() == light
    browser.get(file.as_uri())
    eventually(lambda: script(browser, "document.documentElement.dataset.state"), timeout=20)
    assert ground() == light, "the choice is remembered"
    assert find(browser, "#theme").get_attribute("aria-label") == "Switch to dark colours"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_sideways(browser: Chrome, file: Path, width: int) -> None:
    opened_at(browser, file, width=width)
    assert script(browser, "document.documentElement.scrollWidth") <= width
    small = browser.execute_script(
        "return [...document.querySelectorAll('main button:not(.link):not(.crumb)')].filter(b =>"
        " b.checkVisibility() && b.getBoundingClientRect().height < 20).length"
    )
    assert small == 0


def test_everything_has_a_name_and_headings_are_in_order(opened: Chrome) -> None:
    nodes = opened.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nameless = [
        node["role"]["value"]
        for node in nodes
        if node.get("role", {}).get("value") in ("button", "link", "textbox", "searchbox", "radio")
        and not node.get("ignored")
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
    heads = script(opened, "[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert heads[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(heads))


def test_without_script_the_facts_are_there(browser: Chrome, file: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        prefer(browser, "light")
        browser.get(file.as_uri())
        text = find(browser, "main").text
        for fact in ("Failed", "2 of 3 answers differ", "Hardening", "touched", "/usr", "The run"):
            assert fact in text, fact
        assert "The lists need JavaScript here" in text
        shown = [
            item.is_displayed() for item in browser.find_elements(By.CSS_SELECTOR, ".scripted")
        ]
        assert shown and not any(shown)
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_browser_that_cannot_unfold_says_so(browser: Chrome, file: Path) -> None:
    added = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.DecompressionStream"}
    )
    try:
        opened_at(browser, file)
        assert script(browser, "document.documentElement.dataset.state") == "partial"
        assert "kept-files.tsv" in find(browser, "#trouble-note").text
        assert find(browser, "#theme").is_displayed()
        assert not find(browser, "#grid").is_displayed()
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_it_prints(opened: Chrome) -> None:
    paper = opened.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(paper["data"]).startswith(b"%PDF-")
    prefer(opened, "dark", "print")
    assert script(opened, "getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not find(opened, "#grid").is_displayed()
    assert find(opened, "#treemap").is_displayed()


def test_probe_lines_are_copied(opened: Chrome) -> None:
    lines = "- GET /first\n- GET <img src=x onerror=window.ran=1>\n"
    assert script(opened, "document.getElementById('probe-these').textContent") == lines
    click(opened, "#copy")
    told = eventually(lambda: find(opened, "#copied").text, timeout=5)
    assert told.startswith(("Copied", "Selected"))
    if told.startswith("Selected"):
        assert script(opened, "getSelection().toString().trim()") == lines.strip()


def test_a_build_writes_a_page_that_opens(browser: Chrome, tmp_path: Path) -> None:
    done = slimmed("static-c", tmp_path / "report")
    assert done.code == 0, done.talk
    opened_at(browser, done.directory / "report.html")
    assert script(browser, "document.documentElement.dataset.state") == "ready"
    assert find(browser, ".badge").text.endswith("Passed")
    removed = (done.directory / "removed-files.tsv").read_text().count("\n") - 1
    assert found(browser).startswith(f"{removed} paths removed")
    assert browser.get_log("browser") == []
