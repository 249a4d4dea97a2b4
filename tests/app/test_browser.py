"""The app as people see it: a real server, and a real browser without a screen."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.app.conftest import VIEWS
from tests.app.hostile_text import hostile_name, plant
from tests.dbt_project import REPOSITORY
from tests.trap import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="neither chromium nor chromedriver is installed"
    ),
    pytest.mark.slow(seconds=30),
]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)

CHART_COUNTS = {"correlations": 2, "components": 4, "scaling": 1}
"""Charts of a view; the others show tables only."""

START_SECONDS = 60


@pytest.fixture(scope="module")
def address(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running app."""
    with serving(built_warehouse, tmp_path_factory.mktemp("streamlit") / "server.log") as address:
        yield address


@contextmanager
def serving(warehouse: Path, log: Path) -> Iterator[str]:
    """Address of an app on a warehouse."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as output:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "app/main.py"),
                *("--server.port", str(port), "--server.address", "127.0.0.1"),
                *("--server.headless", "true", "--browser.gatherUsageStats", "false"),
            ],
            cwd=REPOSITORY,
            env={**os.environ, "EVALWH_WAREHOUSE": str(warehouse)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_healthy(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        assert "Traceback" not in log.read_text()
    finally:
        server.terminate()
        server.wait(timeout=30)


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def patiently(browser: webdriver.Chrome) -> WebDriverWait[webdriver.Chrome]:
    """A wait that looks again when the page redraws an element while it is being read."""
    return WebDriverWait(browser, 60, ignored_exceptions=[StaleElementReferenceException])


def text_of(browser: webdriver.Chrome, test_id: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, f"[data-testid={test_id}]").text


def wait_for_page(browser: webdriver.Chrome, title: str, chart_count: int) -> list[WebElement]:
    """The drawn charts of the page, once it has its title and Streamlit has come to rest."""

    def charts_at_rest(driver: webdriver.Chrome) -> list[WebElement] | bool:
        titles = [heading.text for heading in driver.find_elements(By.TAG_NAME, "h1")]
        app = driver.find_element(By.CSS_SELECTOR, "[data-testid=stApp]")
        is_at_rest = app.get_attribute("data-test-script-state") == "notRunning"
        charts = driver.find_elements(
            By.CSS_SELECTOR, "[data-testid=stVegaLiteChart] :is(canvas, svg.marks)"
        )
        return [charts] if titles == [title] and is_at_rest and len(charts) >= chart_count else []

    return patiently(browser).until(charts_at_rest)[0]


@pytest.mark.parametrize("view", [view.removesuffix(".py") for view in VIEWS])
def test_a_view_draws_its_charts_without_an_error(view, address, browser, tmp_path):
    page = "" if view == "scores" else view
    title = "About the data" if view == "about" else view.capitalize()
    browser.get(f"{address}/{page}")
    charts = wait_for_page(browser, title, CHART_COUNTS.get(view, 0))
    browser.save_screenshot(str(tmp_path / f"{view}.png"))
    assert (tmp_path / f"{view}.png").stat().st_size > 20_000
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stAlertContentError]")
    assert len(charts) == CHART_COUNTS.get(view, 0)
    for chart in charts:
        assert chart.size["width"] > 200
        assert chart.size["height"] > 200


def test_the_panel_survives_a_change_of_page(address, browser):
    browser.get(f"{address}/components?panel=complete")
    wait_for_page(browser, "Components", CHART_COUNTS["components"])
    for name, title in (("About the data",) * 2, ("Scaling",) * 2):
        browser.find_element(By.LINK_TEXT, name).click()
        wait_for_page(browser, title, 0)
        assert "panel=complete" in browser.current_url
        patiently(browser).until(lambda driver: "61 models" in text_of(driver, "stSidebar"))


def test_the_app_asks_nobody_but_itself(address, browser):
    browser.get_log("performance")
    browser.get(address)
    wait_for_page(browser, "Scores", 0)
    requested = [
        entry["message"]
        for entry in browser.get_log("performance")
        if "Network.requestWillBeSent" in entry["message"] and '"url":"http' in entry["message"]
    ]
    assert requested
    assert [message for message in requested if f'"url":"{address}' not in message] == []


def test_picking_a_cell_of_the_heatmap_opens_its_pair(address, browser):
    browser.get(f"{address}/correlations")
    heatmap, _ = wait_for_page(browser, "Correlations", CHART_COUNTS["correlations"])
    assert "across" not in browser.current_url
    # A little to the left of the middle, above the diagonal.
    ActionChains(browser).move_to_element_with_offset(heatmap, -30, -150).click().perform()
    patiently(browser).until(lambda driver: "across=" in driver.current_url)
    wait_for_page(browser, "Correlations", CHART_COUNTS["correlations"])
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")


def test_picking_a_cell_of_the_scores_opens_its_sources(address, browser):
    browser.get(address)
    wait_for_page(browser, "Scores", 0)
    table = browser.find_element(By.CSS_SELECTOR, "[data-testid=stDataFrame]")

    def sources(driver: webdriver.Chrome) -> str:
        lines = text_of(driver, "stMain").splitlines()
        return next((line for line in lines if "95% interval" in line), "")

    first = patiently(browser).until(sources)
    ActionChains(browser).move_to_element_with_offset(table, 60, 40).click().perform()
    patiently(browser).until(lambda driver: sources(driver) not in ("", first))
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")


@pytest.fixture(scope="module")
def trap() -> Iterator[tuple[str, list[str]]]:
    """Address of a server that hostile names name, and the paths that it was asked for."""
    with listening() as trap:
        yield trap


@pytest.fixture(scope="module")
def hostile_address(
    built_warehouse: Path, trap: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of an app on a warehouse in which every name is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copy(built_warehouse, folder / "warehouse.duckdb")
    plant(folder / "warehouse.duckdb", hostile_name(trap[0]))
    with serving(folder / "warehouse.duckdb", folder / "server.log") as address:
        yield address


MADE_OF_NAMES = """
    const trap = arguments[0];
    return [...document.querySelectorAll("*")].filter(element =>
        [...element.attributes].some(attribute =>
            ["src", "href", "srcset", "style"].includes(attribute.name)
            && attribute.value.includes(trap))
        || (["B", "EM", "IMG", "STRONG", "A"].includes(element.tagName)
            && ["b", "_e_", "e", "s", "l", "i"].includes(element.textContent.trim()))
        || element.classList.contains("katex")
    ).map(element => element.outerHTML);
"""


@pytest.mark.parametrize("view", [view.removesuffix(".py") for view in VIEWS])
def test_nothing_on_a_page_is_made_of_a_name(view, hostile_address, trap, browser):
    page = "" if view == "scores" else view
    title = "About the data" if view == "about" else view.capitalize()
    browser.get(f"{hostile_address}/{page}")
    charts = wait_for_page(browser, title, CHART_COUNTS.get(view, 0))
    for chart in charts:
        # What a chart tells when pointed at is HTML.
        ActionChains(browser).move_to_element(chart).perform()
    assert "\\x1b[31m" in browser.find_element(By.TAG_NAME, "body").text
    assert browser.execute_script(MADE_OF_NAMES, trap[0]) == []
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")
    assert trap[1] == []


def test_the_trap_is_seen_where_markdown_is_not_escaped(trap, browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f"<img src={trap[0]}/control.png>")
    browser.get(page.as_uri())
    patiently(browser).until(lambda _: "/control.png" in trap[1])
    assert len(browser.execute_script(MADE_OF_NAMES, trap[0])) == 1
    trap[1].clear()
