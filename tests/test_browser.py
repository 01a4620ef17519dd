"""The site in a real browser: ``tox run -e browser``, which needs Chromium and its driver (see tox.ini)."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import NARROW, WIDE, Browser, on
from example_results import CLAUSES, HOSTILE, check, every_verdict, failing, hostile, results

from rnn_conformance.reports.site.site import cell_page, write_site

pytestmark = pytest.mark.browser


def test_pages_load_from_files_alone(browser: Browser) -> None:
    """No page makes the console complain, and none asks for anything that does not lie in the site."""
    pages = sorted(path.relative_to(browser.site).as_posix() for path in browser.site.rglob("*.html"))
    assert len(pages) == 2 + 3 + 3 * len(CLAUSES)
    for page in pages:
        browser.open(page)
        assert browser.complaints() == [], page
    asked = browser.requests()
    assert {url for url in asked if url != "about:blank" and not url.startswith(browser.site.as_uri())} == set()
    assert (browser.site / "site.css").as_uri() in asked
    assert (browser.site / "site.js").as_uri() in asked


def test_hostile_text_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    """Text that tries to be script is shown as text, also as the value of a filter."""
    on(browser, tmp_path / "hostile", hostile())
    for page in sorted(browser.site.rglob("*.html")):
        browser.open(page.relative_to(browser.site).as_posix())
        assert browser.complaints() == []
        assert browser.run("return document.scripts.length") == 1
        shown = browser.run("return document.body.textContent")
        assert "<script>alert(1)</script>" in shown
    browser.open()
    browser.choose("backend", HOSTILE)
    assert browser.fragment.startswith("backend=%3Cscript%3E")
    browser.driver.refresh()
    assert browser.one("input[name=backend]").is_selected()
    assert browser.complaints() == []


def test_policy_is_in_force(browser: Browser) -> None:
    """Were text ever taken for markup, the browser would neither run it nor fetch what it names."""
    browser.open()
    markup = '<img src="https://rnn-conformance.invalid/a.png" onerror="window.ran = true"><p style="color: red">'
    browser.run("window.ran = false; document.body.insertAdjacentHTML('beforeend', arguments[0])", markup)
    browser.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = true'}))")
    assert browser.run("return window.ran") is False
    told = " ".join(browser.complaints())
    for directive in ("img-src", "style-src", "script-src"):
        assert directive in told


def test_chapters_unfold_by_keyboard(browser: Browser) -> None:
    """At first there are chapters only; Enter and Space on one show its clauses and fold them again."""
    from selenium.webdriver.common.keys import Keys

    browser.open()
    assert browser.clauses == []
    assert len([each for each in browser.all("tbody.chapter") if each.is_displayed()]) == 2
    for _ in range(100):
        browser.press(Keys.TAB)
        button = browser.driver.switch_to.active_element
        if button.get_attribute("class") == "fold":
            break
    assert button.get_attribute("aria-expanded") == "false"
    browser.press(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    assert browser.clauses == ["1.1", "1.2"]
    assert browser.fragment == "open=1"
    browser.press(Keys.SPACE)
    assert button.get_attribute("aria-expanded") == "false"
    assert browser.clauses == []


def test_every_control_is_reached_by_keyboard(browser: Browser) -> None:
    """Tab goes through each link, button and filter in sight, and each shows that it has the focus."""
    from selenium.webdriver.common.keys import Keys

    browser.open(fragment="open=1&open=2")
    wanted = browser.run(
        "return [...document.querySelectorAll('a, button, input, summary')].filter(e => e.checkVisibility()).length"
    )
    reached = 0
    for _ in range(wanted + 20):
        browser.press(Keys.TAB)
        reached += browser.run("const e = document.activeElement; return e.matches('a, button, input, summary')")
        if browser.run("return document.activeElement === document.body"):
            break
        assert browser.run(
            "const e = document.activeElement, s = e.matches('.chip input') ? e.nextElementSibling : e;"
            "return e.matches(':focus-visible') && getComputedStyle(s).outlineStyle !== 'none'"
        )
    assert reached == wanted


def test_filters(browser: Browser) -> None:
    """Filters leave the rows, columns and chapters asked for, say how many, and can be taken back."""
    browser.open()
    browser.choose("verdict", "unsupported")
    assert browser.clauses == ["2.1"]
    assert browser.one("output").text == "1 of 3 clauses, on 3 backends"
    browser.choose("verdict", "broken")
    browser.choose("backend", "keras-jax")
    assert browser.clauses == ["2.1"], "1.1 is broken on torch, which is not chosen"
    heads = [each.text for each in browser.all("thead th[data-backend]") if each.is_displayed()]
    assert heads == ["keras-jax"]
    browser.choose("chapter", "1")
    assert browser.clauses == []
    assert browser.one(".nothing").is_displayed()
    browser.one("button.reset").click()
    assert browser.one("output").text == "3 clauses"
    assert not any(box.is_selected() for box in browser.all("input"))
    browser.choose("chapter", "2")
    assert [each.get_attribute("data-chapter") for each in browser.all("tbody.chapter") if each.is_displayed()] == ["2"]


def test_filters_are_restored_from_the_address(browser: Browser) -> None:
    """What is seen can be linked: the address has all of it, and a fragment written by hand works too."""
    browser.open()
    browser.choose("verdict", "fails")
    browser.choose("backend", "keras-jax")
    seen, address = browser.one(".matrix").text, browser.fragment
    assert address == "verdict=fails&backend=keras-jax&open=1&open=2"
    browser.open(fragment=address)
    assert browser.one(".matrix").text == seen
    assert browser.one(".filters details").get_attribute("open")
    browser.open(fragment="verdict=fails")
    assert browser.clauses == ["1.1"]
    browser.run("location.hash = 'chapter=2&open=2'")
    assert browser.clauses == ["2.1"]
    browser.run("location.hash = 'matrix'")
    assert browser.clauses == ["2.1"], "the anchor of a heading is no filter"


def test_cells_lead_to_their_pages_and_back(browser: Browser) -> None:
    """From the matrix to a cell, on to the next clause, to another backend, and back to the chapter."""
    browser.open(fragment="open=1")
    browser.one('.clauses td[data-backend="keras-jax"] a[data-verdict="fails"]').click()
    assert browser.driver.current_url == (browser.site / cell_page("keras-jax", "1.1")).as_uri()
    assert browser.one("h1").text == "1.1 on keras-jax"
    browser.one("a[rel=next]").click()
    assert browser.one("h1").text == "1.2 on keras-jax"
    browser.one("a[rel=prev]").click()
    browser.one(".siblings a").click()
    assert browser.one("h1").text == "1.1 on torch"
    browser.all(".trail a")[2].click()
    assert browser.driver.current_url.endswith("backends/torch.html#chapter-1")
    browser.all(".trail a")[0].click()
    browser.one("tbody.chapter td a").click()
    assert browser.driver.current_url.endswith("backends/torch.html#chapter-1")
    browser.driver.back()
    assert browser.one("h1").text == "RNN conformance"


def test_script_can_be_copied(browser: Browser) -> None:
    """Copy takes the whole script, and says that it did."""
    browser.open(cell_page("keras-jax", "1.1"))
    button = browser.one(".script button.copy")
    button.click()
    browser.run("return new Promise(done => setTimeout(done, 200))")
    assert button.text == "Copied"
    assert browser.run("return getSelection().toString()").strip() == "import numpy as np\n\nprint('<b>' & 1)"
    assert browser.complaints() == []


@pytest.mark.parametrize(
    "page", ["index.html", cell_page("keras-jax", "1.1"), "backends/torch.html", "others/torch.html"]
)
def test_narrow_window(browser: Browser, page: str, tmp_path: Path) -> None:
    """Nothing makes a page wider than a phone: what is wide scrolls in its own frame."""
    checks = [*every_verdict().checks, check("9.9", "broken", message="x" * 500), failing()]
    many = [results(f"a-backend-of-a-long-name-{i}") for i in range(12)]
    on(browser, tmp_path / "many", results(checks=checks), results("keras-jax", checks=[failing()]), *many)
    browser.resize(NARROW)
    browser.open(page, "open=1&open=2")
    assert browser.run("return document.documentElement.scrollWidth") <= NARROW
    if page == "index.html":
        browser.run("document.querySelector('.matrix-scroll').scrollLeft = 1000")
        left = browser.run("return document.querySelector('.fold').getBoundingClientRect().left")
        assert browser.run("return document.querySelector('.matrix-scroll').scrollLeft") > 0
        assert 0 <= left < 40, "the chapters stay in sight"


def test_table_that_fits_keeps_its_heading_in_sight(browser: Browser) -> None:
    """Scrolled down to its last row, the matrix still says which column is whose."""
    browser.emulate("setDeviceMetricsOverride", width=WIDE, height=300, deviceScaleFactor=1, mobile=False)
    browser.open(fragment="open=1&open=2")
    browser.run("document.querySelector('.clauses:last-of-type tr:last-child').scrollIntoView({block: 'start'})")
    assert browser.run("return scrollY") > 0
    assert browser.run("return document.querySelector('.matrix thead th').getBoundingClientRect().top") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser: Browser, scheme: str) -> None:
    """In both schemes every text has the contrast of 4.5 that WCAG asks for, and the paper has the scheme's colour."""
    browser.scheme(scheme)
    for page in ("index.html", cell_page("torch", "1.1"), "backends/torch.html"):
        browser.open(page, "open=1&open=2")
        assert browser.run(_CONTRAST) == [], page
        paper = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, paper.removeprefix("rgb(").rstrip(")").split(","))) < 60) == (scheme == "dark")


_CONTRAST = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = numbers(colour).map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = (e) => {
  const colour = getComputedStyle(e).backgroundColor;
  return numbers(colour)[3] === 0 ? (e.parentElement ? paper(e.parentElement) : "rgb(255, 255, 255)") : colour;
};
const faint = [];
for (const e of document.body.querySelectorAll("*")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!own || !e.checkVisibility() || e.closest("script, .unseen, .skip")) continue;
  const [a, b] = [light(getComputedStyle(e).color), light(paper(e))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(`${e.className}: ${e.textContent.slice(0, 40)}`);
}
return faint;
"""


def test_without_script_everything_is_there(browser: Browser) -> None:
    """No script: every clause is unfolded, and there is no control that would do nothing."""
    browser.emulate("setScriptExecutionDisabled", value=True)
    browser.open()
    assert browser.clauses == list(CLAUSES)
    assert not browser.one(".filters").is_displayed()
    assert not browser.one("button.fold").is_enabled()
    browser.open(cell_page("keras-jax", "1.1"))
    assert not browser.one("button.copy").is_displayed()
    assert browser.one(".script pre").is_displayed()


def test_print_has_every_clause(browser: Browser) -> None:
    """On paper the chapters are unfolded and the filters are gone."""
    browser.open()
    assert browser.clauses == []
    browser.emulate("setEmulatedMedia", media="print")
    assert browser.clauses == list(CLAUSES)
    assert not browser.one(".filters").is_displayed()
    assert browser.driver.print_page().startswith("JVBER"), "a PDF, in base64"


def test_pictures_and_timelines(browser: Browser) -> None:
    """They need nothing but the site, and in a narrow window they scroll rather than the page."""
    measured = results("numpy", [check(shares={"exact": 3, "-2": 5})], versions={"numpy": "2.4.6"})
    before = results("numpy", [check("1.1", "fails")], versions={"numpy": "1.26.4"})
    write_site([before, measured], browser.site)
    browser.resize(NARROW)
    for page, shown in ("index.html", "svg.picture"), ("history.html", ".timeline .changed"):
        browser.open(page)
        assert browser.one(shown).is_displayed()
        assert browser.run("return document.documentElement.scrollWidth") <= NARROW
    assert browser.run("return getComputedStyle(document.querySelector('.changed')).borderLeftWidth") == "4px"
    browser.one(".timeline a.cell").click()
    assert browser.one("h1").text.startswith("1.1")
    assert browser.complaints() == []
    assert all(address.startswith(("file:", "about:")) for address in browser.requests())
