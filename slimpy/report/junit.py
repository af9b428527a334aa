"""JUnit XML: each probe a test case, as build servers read it."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from slimpy.model import display
from slimpy.report.schema import ExchangeFacts, Report

FILE = "junit.xml"
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped (section 2.2)."""


def of_report(report: Report) -> str:
    """The document, ending in a newline. Its last case is the build as a whole."""
    name = report.image.reference or report.image.id
    suite = Element("testsuite", name=_text(name))
    for item in report.exchanges:
        _case(suite, item)
    whole = SubElement(suite, "testcase", classname="slimpy.build", name="slim image")
    if not report.slimmed:
        failure = SubElement(whole, "failure", message=_text(report.status), type="unproven")
        failure.text = _text("\n".join(report.causes) or report.status)
    _count(suite, report)
    top = Element("testsuites", dict(suite.attrib), name="slimpy")
    top.append(suite)
    ElementTree.indent(top)
    text = ElementTree.tostring(top, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: Element, item: ExchangeFacts) -> None:
    case = SubElement(
        suite, "testcase", classname=f"slimpy.{_text(item.kind)}", name=_text(item.name)
    )
    if item.verdict == "same":
        return
    if item.verdict == "unknown":
        SubElement(case, "skipped", message="the slim image was not asked")
        return
    message = item.differences[0] if item.differences else f"the answer is {item.verdict}"
    failure = SubElement(case, "failure", message=_text(message), type=_text(item.verdict))
    lines = [*item.differences, f"original: {item.fat}", f"slim: {item.slim or 'nothing'}"]
    failure.text = "\n".join(map(_text, lines))


def _count(suite: Element, report: Report) -> None:
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", f"{sum(report.seconds.values()):.3f}")


def _text(text: str) -> str:
    """Text that XML can hold; line ends stay."""
    return _ILLEGAL.sub("\ufffd", "\n".join(map(display, text.split("\n"))))
