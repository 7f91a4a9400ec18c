"""A browser, and the demo to look at with it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.dashboard.story import PERIOD, UNTIL
from tests.process import hub, serving

CHROMIUM = shutil.which("chromium")


class Demo(Struct, frozen=True):
    """A hub with the story in it."""

    url: str
    key: str
    data_dir: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    told = hub(folder, "demo", "--until", UNTIL)
    assert told.returncode == 0, told.stderr
    with serving(folder) as served:
        yield Demo(served.url, (folder / "api_key").read_text().strip(), folder)


@pytest.fixture(
    scope="module"
)  # not longer: while it is there, this thread has a running event loop, which others must not meet
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: on Debian, apt install chromium")
    # A sandbox needs privileges that root in a container does not have.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Visit:
    """A browser window, and what went on in it."""

    def __init__(self, demo: Demo, context: BrowserContext) -> None:
        self.demo = demo
        self.context = context
        self.page: Page = context.new_page()
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page.on("request", self._requested)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _requested(self, request: Request) -> None:
        self.hosts.add(request.url.split("/", 3)[2] if "://" in request.url else request.url.split(":", 1)[0])

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def sign_in(self, address: str = f"/?{PERIOD}") -> None:
        self.page.goto(self.demo.url + address)
        self.page.get_by_label("API key").fill(self.demo.key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_selector("main:not(.sign)")

    def open(self, address: str) -> None:
        self.page.goto(self.demo.url + address)


@pytest.fixture
def visit(demo: Demo, chromium: Browser) -> Iterator[Visit]:
    """Nothing may be asked of another host, and no console may complain, whatever a test does."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
    visit = Visit(demo, context)
    yield visit
    context.close()
    assert visit.complaints == []
    assert visit.hosts <= {demo.url.removeprefix("http://"), "data", "blob"}


@pytest.fixture
def axe() -> str:
    return (Path(__file__).parent / "axe" / "axe.min.js").read_text()
