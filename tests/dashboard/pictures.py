"""`make pictures`: the pictures of the documentation, and the numbers of the README, from the demo."""

import re
import sys
import tempfile
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import sync_playwright

from tests.dashboard.story import PERIOD, UNTIL
from tests.process import ROOT, hub, serving

MARKS = ("<!-- made by `make pictures` -->\n", "<!-- end -->\n")
# The period of the picture, and the week in it.
PERIOD_ASKED = "since=2026-08-24T00:00:00Z&until=2026-11-20T23:59:59Z"
RELEASE_ASKED = "since=2026-09-21T00:00:00Z&until=2026-09-27T23:59:59Z"
WIDTH, HEIGHT = 1280, 1000


def numbers(client: httpx.Client) -> str:
    """A table of the README, the story in four lines, below the requests that give it."""
    plans = "/v1/analytics/nps?tenant_id=demo&group_by=metadata.attributes.plan"
    found = client.get(f"{plans}&{PERIOD_ASKED}").raise_for_status().json()
    release = client.get(f"{plans}&{RELEASE_ASKED}").raise_for_status().json()
    then = {group["key"]: group["nps"] for group in release["groups"]}
    said = f"`GET {plans}&{PERIOD_ASKED}`, and of the week of the release with `{RELEASE_ASKED}`:"
    lines = [
        "| Plan | Answers | NPS, 95% interval | in the week of the release |",
        "|---|---:|---:|---:|",
        *(
            f"| {group['key']} | {group['count']} | {group['nps']:.0f}, {group['ci_low']:.0f} to {group['ci_high']:.0f} | {then[group['key']]:.0f} |"
            for group in found["groups"]
        ),
    ]
    table = "\n".join(lines).replace("-", "\N{MINUS SIGN}").replace("\N{MINUS SIGN}" * 3, "---")
    return f"{said}\n\n{table}\n"


def told(readme: str) -> str:
    """What the README says between its marks."""
    return readme.partition(MARKS[0])[2].partition(MARKS[1])[0].strip("\n") + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if (done := hub(folder, "demo", "--until", UNTIL)).returncode:
            sys.exit(done.stderr)
        with serving(folder) as served:
            key = (folder / "api_key").read_text().strip()
            with httpx.Client(base_url=served.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
                table = numbers(client)
            for scheme in ("light", "dark"):
                picture(served.url, key, scheme)
    readme = ROOT / "README.md"
    pattern = re.escape(MARKS[0]) + ".*?" + re.escape(MARKS[1])
    readme.write_text(re.sub(pattern, f"{MARKS[0]}\n{table}\n{MARKS[1]}", readme.read_text(), flags=re.DOTALL))


def picture(url: str, key: str, scheme: Literal["light", "dark"]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, device_scale_factor=1.5, locale="en-GB"
        )
        page = context.new_page()
        page.goto(f"{url}/?{PERIOD}")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector(".tiles")
        name = "page.png" if scheme == "light" else "page-dark.png"
        page.screenshot(path=ROOT / "docs" / "images" / name)
        browser.close()


if __name__ == "__main__":
    main()
