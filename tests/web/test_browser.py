"""The pages in a real browser: Debian's Chromium without a screen, against a real server process."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.dav.conftest import event
from tests.ports import free_port
from tests.server_process import ServerProcess

PASSWORD = "correct horse battery"

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1100,900",
)

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")) and "CALSYNC_TEST_ALL" not in os.environ,
        reason="no chromium and chromedriver here (apt install chromium chromium-driver)",
    ),
]


class Browser:
    """Pages are named by what follows `/.calsync/`."""

    def __init__(self, folder: Path, server: ServerProcess) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = shutil.which("chromedriver") or ""
        home = {**os.environ, "HOME": str(folder)}
        self.driver = webdriver.Chrome(options=options, service=Service(driver, free_port(), env=home))
        self.root = server.url

    def go(self, page: str = "") -> None:
        self.driver.get(page if page.startswith("http") else f"{self.root}.calsync/{page}")

    def fill(self, press: str = "", **fields: str) -> None:
        """Fill in fields by their labels' ids, and press the button with that text (or the first of the page)."""
        for name, value in fields.items():
            found = self.driver.find_element(By.ID, name)
            found.clear()
            found.send_keys(value)
        for button in self.driver.find_elements(By.CSS_SELECTOR, "main button[type=submit], main a.button"):
            if not press or button.text.strip() == press:
                self.press(button)
                return
        raise AssertionError(f"no button {press!r} in:\n{self.text}")

    def press(self, button: WebElement) -> None:
        """Press what leads to another page, and wait until that is there.

        The page is asked and none of its elements: one that goes while it is looked at is an error of the driver.
        """
        self.driver.execute_script("window.isBefore = true")
        button.click()
        wait = WebDriverWait(self.driver, 60, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
        there = "return !window.isBefore && document.readyState === 'complete'"
        wait.until(lambda driver: driver.execute_script(there))

    def sign_out(self) -> None:
        self.press(self.driver.find_element(By.XPATH, "//button[text()='Sign out']"))

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def page(self) -> str:
        return str(self.driver.current_url).partition("/.calsync/")[2]

    def code(self, selector: str) -> str:
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def sign_in(self, password: str = PASSWORD) -> None:
        self.go("sign-in")
        self.fill(login="anna", password=password)

    def complaints(self) -> list[str]:
        """What the console says, but for the statuses of pages that were meant to be refused."""
        said = [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
        return [one for one in said if "the server responded with a status of 403" not in one]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, server: ServerProcess) -> Iterator[Browser]:
    """One browser for all: a start of it costs more than any of the tests."""
    browser = Browser(tmp_path_factory.mktemp("browser"), server)
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(started: Browser, server: ServerProcess) -> Browser:
    """With nobody signed in, and an account as it was made."""
    server.command("user", "remove", "anna", "--yes", "--purge")
    server.add_user("anna", PASSWORD)
    started.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    started.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    started.complaints()
    return started


@pytest.fixture(autouse=True)
def complains_of_nothing(browser: Browser) -> Iterator[None]:
    yield
    assert browser.complaints() == []


def dav(server: ServerProcess, password: str, method: str = "PROPFIND", path: str = "anna/", body: bytes = b"") -> int:
    return requests.request(
        method, server.url + path, auth=("anna", password), headers={"Depth": "0"}, data=body, timeout=60
    ).status_code


def test_signing_in_and_changing_the_password(browser: Browser, server: ServerProcess) -> None:
    browser.driver.get(browser.root)
    assert browser.page == "sign-in"
    browser.fill(login="anna", password="wrong")
    assert "do not belong together" in browser.text
    browser.fill(password=PASSWORD)
    assert "Hello, anna" in browser.text
    assert f"{browser.root}anna/calendar/" in browser.text
    browser.go("account/password")
    browser.fill(old=PASSWORD, new="another long one", again="another long one")
    assert "Your password is changed" in browser.text
    assert (dav(server, PASSWORD), dav(server, "another long one")) == (401, 207)
    browser.sign_out()
    assert "You are signed out" in browser.text
    browser.sign_in("another long one")
    assert "Hello, anna" in browser.text
    # The browser itself keeps the cookie off everything but the pages.
    assert browser.driver.get_cookies() != []
    assert browser.complaints() == []
    browser.driver.get(f"{browser.root}.web/")
    assert browser.driver.get_cookies() == []
    browser.complaints()  # Radicale's page has some of its own


def test_a_device_comes_and_goes(browser: Browser, server: ServerProcess) -> None:
    browser.sign_in()
    browser.fill("Add a device")
    browser.fill("Make the app password", label="Phone")
    password = browser.code("code.secret")
    assert browser.driver.find_element(By.CSS_SELECTOR, "svg.qr").size["width"] > 100
    assert browser.driver.find_elements(By.CSS_SELECTOR, "button.copy") != [], "the script runs"
    assert dav(server, password, "PUT", "anna/calendar/one.ics", event("one")) == 201
    browser.fill("Done")
    assert "Phone" in browser.text
    browser.fill("Lock out")
    assert "Lock out Phone?" in browser.text
    browser.fill("Lock out")
    assert "The device is locked out" in browser.text
    assert dav(server, password) == 401


def test_a_second_step(browser: Browser, server: ServerProcess) -> None:
    browser.sign_in()
    browser.go("account")
    browser.fill("Set up")
    browser.driver.find_element(By.TAG_NAME, "summary").click()
    totp = pyotp.TOTP(browser.code("code.secret").replace(" ", ""))
    browser.fill("Switch on", code=totp.now())
    codes = [one.text for one in browser.driver.find_elements(By.CSS_SELECTOR, ".codes code")]
    assert len(codes) == 10
    browser.fill("I have kept them")
    browser.sign_out()
    browser.sign_in()
    assert browser.page == "sign-in/code"
    browser.fill(code=totp.at(time.time() + 30))  # the next one, as the code of now may be the one before
    assert "Hello, anna" in browser.text
    assert dav(server, PASSWORD) == 401, "the password alone must not open what two steps protect"
    done = server.command("user", "totp-reset", "anna", "--json")
    assert done.stdout == '{"name": "anna", "removed": true}\n', done.stderr
    assert dav(server, PASSWORD) == 207
    browser.sign_out()
    browser.sign_in()
    assert "Hello, anna" in browser.text


def test_an_app_is_let_in(browser: Browser, server: ServerProcess) -> None:
    agent = {"User-Agent": "DAVx5/4.4.5-ose (dav4jvm; okhttp/4.12.0) Android/14"}
    begun = requests.post(f"{server.url}index.php/login/v2", headers=agent, timeout=60).json()

    def poll() -> requests.Response:
        endpoint, token = begun["poll"]["endpoint"], begun["poll"]["token"]
        return requests.post(endpoint, data={"token": token}, headers=agent, timeout=60)

    browser.go(begun["login"])
    browser.fill(login="anna", password=PASSWORD)
    assert "Let DAVx⁵ on Android in?" in browser.text
    assert poll().status_code == 404
    browser.fill("Yes, let it in")
    assert "Go back to the app" in browser.text
    found = poll().json()
    led = requests.request(
        "PROPFIND",
        f"{found['server']}/remote.php/dav",
        auth=(found["loginName"], found["appPassword"]),
        headers={"Depth": "0", **agent},
        timeout=60,
    )
    assert (led.status_code, led.url) == (207, server.url)
    browser.go("devices")
    assert "DAVx⁵ on Android" in browser.text


def test_no_page_is_wider_than_a_phone(browser: Browser, server: ServerProcess) -> None:
    browser.sign_in()
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 340, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    )
    for page in ("", "devices", "devices/add", "account", "account/details", "account/second-step/set-up"):
        browser.go(page)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= 340, page
