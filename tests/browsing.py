"""Chromium on the pages of one site, for the tests marked ``browser``; conftest.py has its fixtures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from example_results import check, every_verdict, failing, results

from rnn_conformance.reports.records.records import Results
from rnn_conformance.reports.site.site import write_site

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

WIDE, NARROW = 1280, 390


class Browser:
    """Chromium on the pages of one site."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.site = Path()

    def open(self, page: str = "index.html", fragment: str = "") -> None:
        self.driver.get("about:blank")  # so that another fragment loads the page anew
        self.driver.get((self.site / page).as_uri() + (f"#{fragment}" if fragment else ""))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element("css selector", selector)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def emulate(self, command: str, **arguments: Any) -> None:
        self.driver.execute_cdp_cmd(f"Emulation.{command}", arguments)

    def resize(self, width: int) -> None:
        self.emulate("setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=False)

    def scheme(self, name: str) -> None:
        self.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    @property
    def fragment(self) -> str:
        return self.driver.current_url.partition("#")[2]

    @property
    def clauses(self) -> list[str]:
        """The numbers of the clauses whose rows are in sight."""
        return [each.text for each in self.all(".clauses .clause-number") if each.is_displayed()]

    def press(self, key: str) -> None:
        self.driver.switch_to.active_element.send_keys(key)

    def choose(self, name: str, value: str) -> None:
        """Tick or untick a filter."""
        if name in ("backend", "chapter") and not self.one(".filters details").get_attribute("open"):
            self.one(".filters summary").click()
        next(box for box in self.all(f"input[name={name}]") if box.get_attribute("value") == value).click()

    def complaints(self) -> list[str]:
        """What the console has said since this was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """What was asked for since this was last asked."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    service = shutil.which("chromedriver")
    if program is None or service is None:
        pytest.fail("Chromium and its driver must be installed; on Debian: apt install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = program
    for argument in [
        "--headless=new",  # the very browser that people use, only without a window
        "--no-sandbox",  # root, as in most containers, has no sandbox
        "--disable-gpu",  # there is none, and looking for it may hang
        "--no-first-run",
        # A browser that looks for its own updates would wait for a network that is not there.
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",  # no other run's settings or locks
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, ChromeService(service))  # by path, or Selenium looks for one to download
    yield Browser(driver)
    driver.quit()


@pytest.fixture
def browser(chromium: Browser, tmp_path: Path) -> Browser:
    """The browser as it is at first, on a site of three backends."""
    chromium.resize(WIDE)
    chromium.emulate("setEmulatedMedia", media="", features=[])
    chromium.emulate("setScriptExecutionDisabled", value=False)
    failed = [failing(), check("1.2"), check("2.1", "unsupported", message="takes batches only", worst=None)]
    script = tmp_path / failing().reproducer_file
    script.parent.mkdir()
    script.write_text("import numpy as np\n\nprint('<b>' & 1)\n", encoding="utf-8")
    return on(chromium, tmp_path, every_verdict("torch"), results("numpy"), results("keras-jax", checks=failed))


def on(browser: Browser, folder: Path, *runs: Results) -> Browser:
    """The browser on the site of these results, with an empty console."""
    browser.site = folder / "site"
    write_site([replace(run, path=folder / run.path.name[:40]) for run in runs], browser.site)
    browser.complaints()
    browser.requests()
    return browser
