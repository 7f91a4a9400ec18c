"""From a CSV file that nobody knows to records: `hub map`, a dry run, a backfill."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import ROOT, Served, environment, hub, serving

pytestmark = pytest.mark.process

TABLE = ROOT / "tests" / "sources" / "csv" / "support.csv"
LONG = ROOT / "tests" / "sources" / "csv" / "02_long.csv"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("map") / "data") as served:
        yield served


def mapped(folder: Path, table: Path, **changes: object) -> Path:
    """The mapping that is proposed for a table, with changes to its columns."""
    proposed = hub(folder, "map", str(table))
    assert proposed.returncode == 0, proposed.stderr
    mapping = json.loads(proposed.stdout)
    mapping["columns"] |= changes
    path = folder / "mapping.json"
    path.write_text(json.dumps(mapping))
    return path


def backfill(served: Served, table: Path, mapping: Path, *options: str, tenant: str) -> tuple[int, dict[str, int], str]:
    done = subprocess.run(
        [sys.executable, "-m", "hub", "backfill", str(table), "--map", str(mapping), "--tenant", tenant, "--url", served.url, *options],
        env=environment(served.data_dir), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    counts = re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)
    return done.returncode, {name: int(number) for name, number in counts}, done.stderr


def test_proposal_says_why_and_can_be_used_as_it_is(tmp_path: Path) -> None:
    """The mapping alone goes to the standard output; a compressed file is read, too."""
    packed = tmp_path / "support.csv.gz"
    packed.write_bytes(gzip.compress(TABLE.read_bytes()))
    plain, zipped = hub(tmp_path, "map", str(TABLE)), hub(tmp_path, "map", str(packed))

    assert json.loads(plain.stdout) == json.loads(zipped.stdout)
    assert "personal data" in plain.stderr
    assert json.loads(plain.stdout)["form_id"] == "support"


def test_dry_run_shows_the_records_and_needs_no_hub(tmp_path: Path) -> None:
    """They are those that a backfill makes, a line each; the account is not among them."""
    shown = hub(tmp_path, "backfill", str(TABLE), "--map", str(mapped(tmp_path, TABLE)), "--dry-run")
    records = [json.loads(line) for line in shown.stdout.splitlines()]

    assert shown.returncode == 0, shown.stderr
    assert [record["value_number"] for record in records if record["field_type"] == "nps"] == [9, 3, 10]
    assert "Nothing was stored" in shown.stderr


def test_table_goes_in_and_again_changes_nothing(served: Served, tmp_path: Path) -> None:
    """The mapping is stored first; one that changed is applied to what is there."""
    mapping = mapped(tmp_path, TABLE)
    first = backfill(served, TABLE, mapping, tenant="again")
    second = backfill(served, TABLE, mapping, tenant="again")
    changed = mapped(tmp_path, TABLE, **{"What should we do better?": {"as": "text", "id": "better"}})
    third = backfill(served, TABLE, changed, tenant="again")
    stored = served.get("/v1/feedback-records?tenant_id=again&field_id=better").json()["data"]

    assert first[:2] == (0, {"submissions": 3, "created": 7, "rejected": 0})
    assert second[:2] == third[:2] == (0, {"submissions": 3, "created": 0, "unchanged": 7, "rejected": 0})
    assert [record["value_text"] for record in stored] == ["Nothing.", 'Faster "imports", please']


def test_rows_of_one_response_are_kept_together(served: Served, tmp_path: Path) -> None:
    """However long the table is: several options of a question would else replace each other."""
    header, row = "response_id,question_id,type,answer\n", "r{0},q{0},categorical,{1}\n"
    table = tmp_path / "many.csv"
    table.write_text(header + "".join(row.format(number, option) for number in range(250) for option in "abc"))
    status, counts, _ = backfill(served, table, mapped(tmp_path, table), tenant="together")

    assert (status, counts) == (0, {"submissions": 250, "created": 750, "rejected": 0})


def test_behind_a_long_response_the_right_row_is_rejected(served: Served, tmp_path: Path) -> None:
    """One that is too long to be sent at once is still one response to the hub, which names the wrong one by its number."""
    table, rejects = tmp_path / "long.csv", tmp_path / "rejects"
    header, row = "response_id,question_id,type,answer,submitted_at\n", "{},q{},text,words,{}\n"
    rows = [row.format("r1", number, "2026-08-14").replace("words", "words " * 1500) for number in range(501)]
    rows += [row.format("r2", 1, "2026-08-14"), row.format("r3", 1, "soon"), row.format("r4", 1, "2026-08-14")]
    table.write_text(header + "".join(rows[:-2]))
    mapping = mapped(tmp_path, table)
    table.write_text(header + "".join(rows))
    status, counts, _ = backfill(served, table, mapping, "--rejects", str(rejects), tenant="long")

    assert (status, counts) == (1, {"submissions": 3, "created": 503, "rejected": 1})
    assert "r3,q1,text,words,soon" in rejects.read_text()


def test_rejected_rows_are_named_by_their_line(served: Served, tmp_path: Path) -> None:
    """With the reason, in a dry run as well; the others go in."""
    table, rejects = tmp_path / "odd.csv", tmp_path / "rejects"
    lines = TABLE.read_text().splitlines()
    table.write_text(
        "\n".join([lines[0], lines[1], lines[2].replace("2026-08-14T11:00:00Z", "soon"), "", "too,few", lines[3]])
    )
    mapping = mapped(tmp_path, TABLE)
    for options in ((), ("--dry-run",)):
        status, _, complaints = backfill(served, table, mapping, *options, "--rejects", str(rejects), tenant="odd")

        assert status == 1
        assert rejects.read_text().splitlines() == [
            f"_rejected,{lines[0]}",
            '"3: Submitted at is not a date that can be read",' + lines[2].replace("2026-08-14T11:00:00Z", "soon"),
            '"5: Invalid CSV: expected 8 cells, got 2",too,few',
        ]
        assert "rejected: 3: " in complaints
    assert len(served.get("/v1/submissions?tenant_id=odd").json()["data"]) == 2


def test_rejected_rows_go_in_when_they_are_corrected(served: Served, tmp_path: Path) -> None:
    """All rows of a response that was rejected; the column with the reasons may stay."""
    header, row = "response_id,question_id,type,answer,answered_at\n", "r{0},q{1},nps,9,{2}\n"
    table, rejects = tmp_path / "long.csv", tmp_path / "rejects.csv"
    rows = [
        row.format(response, question, "soon" if response == 1 else "2026-08-14")
        for response in range(3)
        for question in range(2)
    ]
    table.write_text(header + "".join(rows))
    mapping = mapped(tmp_path, table, answered_at={"as": "collected_at"})
    status, counts, _ = backfill(served, table, mapping, "--rejects", str(rejects), tenant="corrected")
    assert (status, counts) == (1, {"submissions": 2, "created": 4, "rejected": 1})
    assert [line.split(":")[0] for line in rejects.read_text().splitlines()[1:]] == ['"4', '"5']

    rejects.write_text(rejects.read_text().replace("soon", "2026-08-15"))
    status, counts, _ = backfill(served, rejects, mapping, tenant="corrected")
    assert (status, counts) == (0, {"submissions": 1, "created": 2, "rejected": 0})


@pytest.mark.parametrize(
    ("mapping", "options", "said"),
    [
        ("{}", (), "layout"),
        ("no json", (), "not valid JSON"),
        ('{"layout": "wide", "columns": {"q": {"as": "nps"}}}', (), "--form"),
        ('{"form_id": "f", "layout": "wide", "columns": {"q": {"as": "nps"}}}', ("--form", "g"), "--form says g"),
        (
            '{"form_id": "f", "layout": "wide", "columns": {"q": {"as": "nps"}}}',
            ("--source", "typeform"),
            "--map is for CSV",
        ),
        (
            '{"form_id": "f", "layout": "wide", "columns": {"q": {"as": "nps"}}}',
            ("--on-conflict", "update"),
            "--on-conflict",
        ),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    tmp_path: Path, mapping: str, options: tuple[str, ...], said: str
) -> None:
    """Told before anything is sent."""
    path = tmp_path / "mapping.json"
    path.write_text(mapping)
    done = hub(tmp_path, "backfill", str(TABLE), "--map", str(path), *options)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_column_that_the_mapping_does_not_know_stops_the_file(tmp_path: Path) -> None:
    """Nothing disappears silently."""
    path = tmp_path / "mapping.json"
    path.write_text('{"form_id": "f", "layout": "wide", "columns": {"Plan": {"as": "text"}}}')
    done = hub(tmp_path, "backfill", str(TABLE), "--map", str(path), "--dry-run")

    assert done.returncode == 1
    assert "does not say what Response ID, Submitted at" in done.stderr


@pytest.mark.parametrize("content", [b"", b"a,,b\n1,2,3\n", b"a,a\n1,2\n", b"\xff\xfe\n"])
def test_file_without_a_header_is_one_line(tmp_path: Path, content: bytes) -> None:
    """Whatever it is."""
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    done = hub(tmp_path, "map", str(path))

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
