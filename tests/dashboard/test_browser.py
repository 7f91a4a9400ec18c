"""The page in a real browser: Debian's Chromium."""

import csv
import hashlib
import re
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from hub.dashboard.render import NOTHING
from tests.dashboard import pictures
from tests.dashboard.conftest import Demo, Visit
from tests.dashboard.story import PERIOD, QUERY
from tests.process import ROOT

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("browser")]

FIRST_PAINT = """new Promise(resolve => new PerformanceObserver(list => resolve(
    list.getEntriesByName("first-contentful-paint")[0].startTime)).observe({type: "paint", buffered: true}))"""
AXE = Path(__file__).parent / "axe"


def number(page: Page, name: str) -> str:
    """A big number."""
    return page.locator(".tile", has=page.get_by_role("heading", name=name, exact=True)).locator("b").inner_text()


def count_of_records(page: Page) -> int:
    return int(page.get_by_role("heading", level=1).inner_text().split()[0].replace(",", ""))


def section(page: Page, heading: str) -> Locator:
    return page.locator("section", has=page.get_by_role("heading", name=heading, exact=True))


def test_a_pasted_key_opens_the_page_that_was_asked_for(visit: Visit) -> None:
    visit.sign_in(f"/?{PERIOD}&metadata.attributes.plan=pro")
    expect(visit.page).to_have_url(re.compile(r"plan=pro"))
    expect(visit.page.get_by_role("link", name="plan pro")).to_be_visible()
    cookie = next(cookie for cookie in visit.context.cookies() if cookie["name"] == "hub_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert visit.page.evaluate("document.cookie") == ""


def test_signing_out_closes_it(visit: Visit) -> None:
    visit.sign_in()
    visit.page.get_by_role("button", name="Sign out").click()
    expect(visit.page.get_by_label("API key")).to_be_visible()
    visit.open("/")
    expect(visit.page.get_by_label("API key")).to_be_visible()


def test_a_filter_changes_the_numbers_and_the_address(visit: Visit) -> None:
    """And the address alone shows the same to somebody else."""
    visit.sign_in()
    everybody = number(visit.page, "NPS")
    source = visit.page.get_by_label("Source", exact=True)
    source.focus()
    source.select_option(label="In-app NPS")
    expect(visit.page).to_have_url(re.compile("source_id=northwind-in-app"))
    expect(visit.page.locator("#source_id")).to_be_focused()
    filtered = number(visit.page, "NPS")
    assert filtered != everybody
    visit.page.go_back()
    expect(visit.page.locator(".tile b").first).to_have_text(everybody)
    visit.page.go_forward()
    expect(visit.page.locator(".tile b").first).to_have_text(filtered)
    visit.page.reload()
    assert number(visit.page, "NPS") == filtered


def test_a_group_is_looked_at_alone_and_left_again(visit: Visit) -> None:
    visit.sign_in()
    row = visit.page.get_by_role("row").filter(has=visit.page.get_by_role("link", name="pro", exact=True))
    score = row.locator("b").inner_text()
    visit.page.get_by_role("link", name="pro", exact=True).click()
    expect(visit.page.locator(".tile b").first).to_have_text(score)
    visit.page.get_by_role("link", name="plan pro").click()
    expect(visit.page.get_by_role("link", name="plan pro")).to_have_count(0)


def test_every_part_of_a_number_leads_to_its_records(visit: Visit) -> None:
    """Exactly as many as were counted."""
    visit.sign_in()
    page = visit.page
    for part in ("Promoters", "Passives", "Detractors"):
        line = page.locator(".shares li", has=page.get_by_role("link", name=part))
        shown = int(line.locator("span").first.inner_text().replace(",", ""))
        line.get_by_role("link").click()
        assert count_of_records(page) == shown
        page.go_back()
    over_time = section(page, "NPS over time")
    over_time.get_by_text("As a table").click()
    row = over_time.locator("details tr").nth(5)
    shown = int(row.locator("td").nth(1).inner_text())
    row.get_by_role("link").click()
    assert count_of_records(page) == shown


def test_every_answer_to_a_question_leads_to_its_records(visit: Visit) -> None:
    """Options, ranks, marks, rows of a matrix: each list is as long as the number beside it."""
    visit.sign_in()
    links = visit.page.eval_on_selector_all(
        ".question .rows li, .question svg a",
        """marks => marks.map(mark => mark.matches("li")
            ? [mark.querySelector(".label a")?.getAttribute("href"), mark.querySelector(".n").textContent]
            : [mark.getAttribute("href"), mark.getAttribute("aria-label")?.split(": ").pop()])""",
    )
    counted = [
        (href, int(re.sub(r"\D.*", "", text.replace(",", ""))))
        for href, text in links
        if href and text[0].isdigit() and "%" not in text.split("(")[0]
    ]
    assert len(counted) > 50
    with api(visit.demo) as client:
        for href, shown in counted:
            found = client.get(f"/v1/feedback-records/count?{href.partition('?')[2]}").raise_for_status().json()
            assert found["count"] == shown, href


def test_a_record_leads_to_its_submission(visit: Visit) -> None:
    visit.sign_in(f"/records?{QUERY}&source_id=northwind-pulse&field_type=nps&limit=5")
    visit.page.get_by_role("link", name="submission", exact=True).first.click()
    expect(visit.page.get_by_text("submission_id")).to_be_visible()
    assert count_of_records(visit.page) > 1


def test_marks_of_a_drawing_lead_to_their_records(visit: Visit) -> None:
    visit.sign_in()
    column = visit.page.locator(".plot .column").nth(4)
    shown = int((column.locator("title").text_content() or "").rpartition("\n")[2].split()[0])
    column.click(position={"x": 10, "y": 10})
    visit.page.wait_for_url("**/records?**")
    assert count_of_records(visit.page) == shown


def test_every_bar_of_the_volume_leads_to_its_records(visit: Visit) -> None:
    """As many as it stands for: those of the drawing and of the table, now and before."""
    visit.sign_in()
    volume = section(visit.page, "Volume")
    bars = volume.locator(".plot a").evaluate_all(
        "bars => bars.map(bar => [bar.getAttribute('href'), bar.querySelector('title').textContent.split('\\n')[1]])"
    )
    rows = volume.locator("tbody td:has(a)").evaluate_all(
        """cells => cells.map(cell => [cell.firstChild.getAttribute("href"),
            cell.cellIndex ? cell.textContent : cell.nextSibling.textContent])"""
    )
    assert len(bars) == 13
    assert len(rows) == 13 + 12
    with api(visit.demo) as client:
        for href, shown in (*bars, *rows):
            found = client.get(f"/v1/feedback-records/count?{href.partition('?')[2]}").raise_for_status().json()
            assert found["count"] == int(shown.split()[0].replace(",", "")), href
    volume.locator(".column").nth(4).click(position={"x": 10, "y": 10})
    visit.page.wait_for_url("**/records?**")
    assert count_of_records(visit.page) == int(bars[4][1].split()[0])


def test_the_volume_is_that_of_the_api(visit: Visit) -> None:
    """Week by week. Of the period before the weeks that are whole, first beside first."""
    visit.sign_in()
    with api(visit.demo) as client:
        found = client.get(f"/v1/analytics/volume?{QUERY}&interval=week").raise_for_status().json()
        before = client.get(
            "/v1/analytics/volume?tenant_id=demo&since=2026-06-01T00:00:00Z&until=2026-08-23T23:59:59.999999Z&interval=week"
        ).json()
    volume = section(visit.page, "Volume")
    volume.get_by_text("As a table").click()
    columns = (
        (found, "records", 2), (found, "submissions", 3), (found, "users", 4), (before, "records", 5), (before, "submissions", 6),
    )  # fmt: skip
    for report, member, column in columns:
        told = [f"{bucket[member]:,}" for bucket in report["series"]]
        expect(volume.locator(f"tbody td:nth-child({column})")).to_have_text([*told, *[NOTHING] * (13 - len(told))])
    volume.get_by_role("link", name="Month").click()
    expect(volume.locator(".plot .column")).to_have_count(4)
    visit.page.get_by_label("Compare", exact=True).select_option("none")
    expect(volume.locator(".before")).to_have_count(0)


def test_the_volume_is_read_without_a_mouse(visit: Visit) -> None:
    visit.sign_in()
    volume = section(visit.page, "Volume")
    visit.page.get_by_role("link", name="Submissions", exact=True).press("Enter")
    expect(volume.get_by_role("heading")).to_be_in_viewport()
    volume.locator("summary").focus()
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Tab")
    expect(volume.get_by_role("region", name="Volume as a table")).to_be_focused()
    visit.page.keyboard.press("Tab")
    expect(volume.get_by_role("link", name="Week of 24 Aug 2026")).to_be_focused()
    shown = volume.locator("tbody td").nth(1).inner_text()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/records?**")
    assert count_of_records(visit.page) == int(shown)


def test_how_far_people_got_is_what_the_api_says(visit: Visit) -> None:
    visit.sign_in()
    completion = section(visit.page, "Completion and drop-off")
    expect(completion.locator("h3")).to_have_text(["Customer pulse", "After onboarding"])
    expect(completion.locator(".caption")).to_have_text("No word of unfinished submissions from In-app NPS.")
    with api(visit.demo) as client:
        for number, form in enumerate(("northwind-pulse", "northwind-onboarding")):
            found = client.get(f"/v1/analytics/completion?{QUERY}&form_id={form}").raise_for_status().json()
            drawn, total = completion.locator("article").nth(number), found["total"]
            expect(drawn.locator("small")).to_contain_text(
                f"{total['rate_completed']} of {total['rate_base']} completed, {total['completion_rate']:.0f}%"
                f" ({total['ci_low']:.0f} to {total['ci_high']:.0f}) · median 2 min"
            )
            expect(drawn.locator(".label")).to_have_text([field["label"] for field in found["fields"]])
            expect(drawn.locator(".n")).to_have_text([str(field["answered"]) for field in found["fields"]])
            expect(drawn.locator(".share")).to_have_text(
                [f"{100 - field['drop_off']:.0f}%" for field in found["fields"]]
            )
    linked = completion.locator("article").first.locator("li", has=visit.page.get_by_role("link"))
    # Not those in several parts: no list has one record for each who answered them.
    expect(linked).to_have_count(5)
    shown = int(linked.nth(1).locator(".n").inner_text())
    linked.nth(1).get_by_role("link").click()
    visit.page.wait_for_url("**/records?**")
    assert count_of_records(visit.page) == shown


def test_how_far_people_got_follows_the_filters_it_knows(visit: Visit) -> None:
    """A form, and a period; for those of records alone it says why it is not there, and of sources that do not tell nothing."""
    visit.sign_in()
    completion = section(visit.page, "Completion and drop-off")
    completion.get_by_role("link", name="After onboarding").click()
    expect(visit.page).to_have_url(re.compile("source_id=northwind-onboarding"))
    expect(completion.locator("h3")).to_have_text(["After onboarding"])
    visit.open(f"/?{PERIOD}&source_id=northwind-onboarding&metadata.attributes.plan=pro&language=en")
    expect(completion.locator("article")).to_have_count(0)
    expect(completion.locator(".caption")).to_contain_text("but not by language or plan")
    completion.get_by_role("link", name="Look at all of it").click()
    expect(completion.locator("h3")).to_have_text(["After onboarding"])
    for source in ("northwind-in-app", "helpdesk"):
        visit.open(f"/?{PERIOD}&source_id={source}")
        expect(section(visit.page, "Volume")).to_be_visible()
        expect(completion).to_have_count(0)


def test_a_mark_says_what_it_is(visit: Visit) -> None:
    visit.sign_in()
    visit.page.locator(".plot .column").nth(4).hover(position={"x": 12, "y": 60})
    expect(visit.page.locator(".tip")).to_contain_text("Week of 21 Sep 2026")
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator(".tip")).to_have_count(0)
    section(visit.page, "Volume").locator(".column").nth(4).hover(position={"x": 12, "y": 60})
    expect(visit.page.locator(".tip")).to_have_text(
        re.compile(
            r"Week of 21 Sep 2026\n\d+ records of \d+ submissions\nWeek of 29 Jun 2026\n\d+ records of \d+ submissions"
        )
    )


def test_dragging_over_the_trend_chooses_its_period(visit: Visit) -> None:
    visit.sign_in()
    boxes = [visit.page.locator(".plot .column").nth(n).bounding_box() for n in (3, 5)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    mouse = visit.page.mouse
    mouse.move(boxes[0]["x"] + 9, boxes[0]["y"] + 20)
    mouse.down()
    mouse.move(boxes[0]["x"] + 40, boxes[0]["y"] + 30, steps=3)
    mouse.move(boxes[1]["x"] + 9, boxes[1]["y"] + 30, steps=3)
    mouse.up()
    expect(visit.page).to_have_url(re.compile("from=2026-09-14&to=2026-10-04"))
    expect(visit.page.locator("#from")).to_have_value("2026-09-14")


def test_comments_are_searched_and_hits_are_marked(visit: Visit) -> None:
    visit.sign_in()
    page = visit.page
    page.get_by_label("Search the comments").fill("export")
    page.keyboard.press("Enter")
    expect(page.locator(".comments mark").first).to_have_text(re.compile("export", re.IGNORECASE))
    page.get_by_role("link", name="Detractors", exact=True).last.click()
    expect(page.locator(".find [aria-current]")).to_have_text("Detractors")
    expect(page.locator(".comments .score.promoter")).to_have_count(0)
    assert {int(text) for text in page.locator(".comments .score").all_inner_texts()} <= set(range(7))
    expect(page.get_by_label("Search the comments")).to_have_value("export")


def test_the_records_leave_as_a_file(visit: Visit, tmp_path: Path) -> None:
    visit.sign_in(f"/?{PERIOD}&source_id=helpdesk")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="Export").click()
    download.value.save_as(tmp_path / "file.csv")
    with (tmp_path / "file.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    visit.page.get_by_role("link", name="Records", exact=True).click()
    assert len(rows) == count_of_records(visit.page) > 100
    assert {row["source_id"] for row in rows} == {"helpdesk"}


def test_everything_is_reached_without_a_mouse(visit: Visit) -> None:
    visit.sign_in()
    page = visit.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the numbers")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search the comments")).to_be_focused()
    page.keyboard.type("dashboard")
    page.keyboard.press("Enter")
    expect(page.locator(".comments mark").first).to_be_visible()
    page.locator("input[value='90d']").focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("period=12m"))
    stops = page.locator("a[href]:not([tabindex='-1']), button, select, input:not([type=hidden])")
    for stop in stops.all():
        if stop.is_visible():
            stop.focus()
            assert stop.evaluate("element => document.activeElement === element || element.type === 'radio'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "address",
    [
        f"/?{PERIOD}",
        f"/?{PERIOD}&q=export",
        f"/?{PERIOD}&metadata.attributes.plan=pro",
        f"/records?{QUERY}&limit=20",
        "/?tenant_id=nobody",
        "/?tz=Nowhere",
    ],
)
def test_axe_finds_nothing_serious(visit: Visit, axe: str, address: str, scheme: Literal["light", "dark"]) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    visit.sign_in()
    visit.open(address)
    serious(visit.page, axe)
    visit.complaints.clear()  # Chromium complains of an answer of 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_before_signing_in(visit: Visit, axe: str, scheme: Literal["light", "dark"]) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    visit.open("/")
    serious(visit.page, axe)


def serious(page: Page, axe: str) -> None:
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    assert [
        (violation["id"], node["target"], node["failureSummary"])
        for violation in found["violations"]
        for node in violation["nodes"]
        if violation["impact"] in ("serious", "critical")
    ] == []


def test_without_a_script_the_numbers_are_the_same(visit: Visit, demo: Demo, chromium: Browser) -> None:
    visit.sign_in()
    numbers = visit.page.locator(".tile b").all_inner_texts()
    without = chromium.new_context(java_script_enabled=False)
    without.add_cookies([{"name": c["name"], "value": c["value"], "url": demo.url} for c in visit.context.cookies()])
    page = without.new_page()
    page.goto(f"{demo.url}/?{PERIOD}")
    assert page.locator(".tile b").all_inner_texts() == numbers
    assert page.locator(".plot .line").count() > 0
    page.get_by_label("Source", exact=True).select_option(label="In-app NPS")
    page.get_by_role("button", name="Show").click()
    assert "source_id=northwind-in-app" in page.url
    assert page.locator(".tile b").all_inner_texts() != numbers
    without.close()


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_nothing_is_wider_than_the_window(visit: Visit, width: int) -> None:
    visit.sign_in()
    visit.page.set_viewport_size({"width": width, "height": 800})
    for address in (f"/?{PERIOD}", f"/records?{QUERY}&limit=20"):
        visit.open(address)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_first_paint_is_quick(visit: Visit) -> None:
    """Generously: the machine that tests does other things."""
    visit.sign_in()
    visit.open(f"/?{PERIOD}")
    paints = []
    for _ in range(5):
        visit.page.reload()
        paints.append(visit.page.evaluate(FIRST_PAINT))
    assert min(paints) < 500


def test_axe_is_what_was_published() -> None:
    """`make vendor` fetches it and compares; this compares again."""
    for line in (AXE / "SHA512SUMS").read_text().splitlines():
        expected, name = line.split()
        assert hashlib.sha512((AXE / name).read_bytes()).hexdigest() == expected, name


def test_the_readme_has_the_numbers_of_the_demo(demo: Demo) -> None:
    """`make pictures` writes them."""
    with api(demo) as client:
        assert pictures.told((ROOT / "README.md").read_text()) == pictures.numbers(client)


@pytest.mark.parametrize(
    ("name", "metric", "member"), [("NPS", "nps", "nps"), ("CSAT", "csat", "csat"), ("CES", "ces", "ces")]
)
def test_the_page_and_the_api_agree(visit: Visit, name: str, metric: str, member: str) -> None:
    visit.sign_in()
    with api(visit.demo) as client:
        found = client.get(f"/v1/analytics/{metric}?{QUERY}&compare=previous&interval=week").raise_for_status().json()
    digits = 1 if metric == "ces" else 0
    shown = f"{found['total'][member]:.{digits}f}{'%' if metric == 'csat' else ''}"
    assert number(visit.page, name) == shown
    visit.page.get_by_role("link", name=name, exact=True).click()
    # The page before has the same heading where the score was shown already.
    visit.page.wait_for_url("**#over-time")
    expect(visit.page.get_by_role("heading", name=f"{name} over time")).to_be_visible()
    over_time = section(visit.page, f"{name} over time")
    over_time.get_by_text("As a table").click()
    counts = over_time.locator("tbody tr td:nth-child(2)")
    expect(counts).to_have_text([f"{bucket['count']:,}" for bucket in found["series"]])


def api(demo: Demo) -> httpx.Client:
    return httpx.Client(base_url=demo.url, headers={"authorization": f"Bearer {demo.key}"}, timeout=30)
