"""A file goes in with one command, however often it is broken off and repeated."""

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hub.client import Client, RefusedError
from tests.conftest import make_record
from tests.process import ROOT, Served, await_true, environment, free_port, serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

PAYLOADS = ROOT / "tests" / "sources" / "formbricks"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("backfill") / "data") as served:
        yield served


class Here:
    """A hub, a folder of files, and a tenant that no other test has."""

    def __init__(self, served: Served, folder: Path, tenant: str) -> None:
        self.served = served
        self.folder = folder
        self.tenant = tenant

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "hub", "backfill", *map(str, arguments), "--url", self.served.url]

    def environment(self) -> dict[str, str]:
        return environment(self.served.data_dir, XDG_CACHE_HOME=str(self.folder / "cache"))

    def backfill(self, *arguments: str | Path, stdin: bytes = b"") -> tuple[int, dict[str, int], str]:
        """Its exit status, what it counted, and its complaints."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment(), input=stdin, capture_output=True, timeout=90, check=False
        )
        counts = {}
        for line in done.stdout.decode().splitlines():
            name, _, number = line.rpartition(" ")
            if number.replace(",", "").isdecimal():
                counts[name.strip()] = int(number.replace(",", ""))
        return done.returncode, counts, done.stderr.decode()

    def records(self, count: int, **overrides: object) -> list[dict[str, object]]:
        return [
            make_record(tenant_id=self.tenant, submission_id=f"s{n}", value_text=f"é {n}", **overrides)
            for n in range(count)
        ]

    def write(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def stored(self) -> list[dict[str, object]]:
        """What clients sent of each record that the hub has, by submission."""
        path, found, cursor = f"/v1/feedback-records?tenant_id={self.tenant}&limit=1000", [], ""
        while True:
            page = self.served.get(path + cursor).json()
            found += page["data"]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
        for record in found:
            for name in ("id", "collected_at", "created_at", "updated_at"):
                del record[name]
        return sorted(
            found, key=lambda record: (len(record["submission_id"]), record["submission_id"], record["field_id"])
        )

    def count(self) -> int:
        number: int = self.served.get(f"/v1/feedback-records/count?tenant_id={self.tenant}").json()["count"]
        return number


@pytest.fixture
def here(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> Here:
    return Here(served, tmp_path, request.node.name[:200])


def ndjson(records: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.mark.parametrize("shape", ["lines", "array", "indented"])
@pytest.mark.parametrize("packed", ["plain", "gzip", "zstd", "piped"])
def test_a_file_of_any_shape_goes_in(here: Here, shape: str, packed: str) -> None:
    """And sent again it changes nothing."""
    records = here.records(50, metadata={"nested": [{"a": None}], "text": 'a "quoted", [text]'})
    text = {
        "lines": ndjson(records),
        "array": json.dumps(records).encode(),
        "indented": json.dumps(records, indent=2).encode(),
    }[shape]
    data = {"gzip": gzip.compress(text), "zstd": zstd.compress(text)}.get(packed, text)
    path: str | Path = "-" if packed == "piped" else here.write("file", data)
    assert here.backfill(path, stdin=data if packed == "piped" else b"") == (
        0, {"received": 50, "created": 50, "rejected": 0}, "",
    )  # fmt: skip
    assert here.stored() == records
    assert here.backfill(path, stdin=data if packed == "piped" else b"")[1] == {
        "received": 50, "created": 0, "skipped": 50, "rejected": 0,
    }  # fmt: skip


def test_what_is_rejected_is_named_and_comes_back_to_be_corrected(here: Here) -> None:
    records = here.records(5)
    records[1]["field_type"] = "bogus"
    records[3]["value_number"] = "many"
    lines = ndjson(records).splitlines(keepends=True)
    file = here.write("file.ndjson", b"".join([*lines[:2], b"\n", b"{no json\n", *lines[2:]]))
    rejects = here.folder / "rejects.ndjson"
    status, counts, complaints = here.backfill(file, "--rejects", rejects)
    assert (status, counts) == (1, {"received": 6, "created": 3, "rejected": 3})
    assert [line.split(": ")[:2] for line in complaints.splitlines()] == [
        ["rejected", "2"],
        ["rejected", "4"],
        ["rejected", "6"],
    ]
    kept = [json.loads(line) for line in rejects.read_bytes().splitlines()]
    assert [(each["_rejected"]["line"], each["_rejected"]["reason"].split()[0]) for each in kept] == [
        (2, "field_type"), (4, "Invalid"), (6, "value_number"),
    ]  # fmt: skip
    assert kept[1]["_rejected"]["text"] == "{no json"
    kept[0]["field_type"], kept[2]["value_number"] = "text", 3
    corrected = here.write("corrected.ndjson", ndjson([kept[0], kept[2]]))
    assert here.backfill(corrected)[:2] == (0, {"received": 2, "created": 2, "rejected": 0})
    assert here.count() == 5


def test_every_reject_is_kept_however_many_there_are(here: Here) -> None:
    """An answer of the hub names only the first thousand."""
    records = here.records(4000)
    for record in records[::2]:
        record["field_type"] = "bogus"
    rejects = here.folder / "rejects.ndjson"
    status, counts, complaints = here.backfill(here.write("file", ndjson(records)), "--rejects", rejects)
    assert (status, counts) == (1, {"received": 4000, "created": 2000, "rejected": 2000})
    assert [json.loads(line)["_rejected"]["line"] for line in rejects.read_bytes().splitlines()] == list(
        range(1, 4000, 2)
    )
    assert len(complaints.splitlines()) == 10


def test_a_tenant_is_filled_in_where_there_is_none(here: Here) -> None:
    records = here.records(3)
    named = [dict(record) for record in records]
    del named[0]["tenant_id"]
    named[1]["tenant_id"] = None
    named[2]["metadata"] = records[2]["metadata"] = {"tenant_id": "another"}
    assert here.backfill(here.write("file", ndjson(named)), "--tenant", here.tenant)[0] == 0
    assert here.stored() == records


@pytest.mark.parametrize("column", ["", "tenant_id;"])
def test_csv_goes_in_with_its_line_numbers(here: Here, column: str) -> None:
    """The tenant is one more column, or fills the empty cells of the one there is."""
    cell = ";" if column else ""
    rows = [
        f"{column}source_type;field_id;field_type;submission_id;value_text;value_number",
        f'{cell}survey;q1;text;s0;"two\nlines; and ""more""";',
        f"{cell}survey;q1;bogus;s1;;4.5",
        "",
        f"{cell}survey;q1;number;s2;;4.5",
        f"{cell}survey;q1;number",
    ]
    rejects = here.folder / "rejects.ndjson"
    status, counts, complaints = here.backfill(
        here.write("file.csv", "\ufeff" + "\n".join(rows)),
        "--source",
        "csv",
        "--tenant",
        here.tenant,
        "--rejects",
        rejects,
    )
    assert (status, counts) == (1, {"received": 4, "created": 2, "rejected": 2})
    assert [line.split(": ")[1] for line in complaints.splitlines()] == ["4", "7"]
    missing = f"Invalid CSV: expected {rows[0].count(';') + 1} cells, got {rows[-1].count(';') + 1}"
    assert missing in complaints
    assert here.stored() == [
        make_record(tenant_id=here.tenant, submission_id="s0", value_text='two\nlines; and "more"'),
        make_record(tenant_id=here.tenant, submission_id="s2", field_type="number", value_text=..., value_number=4.5),
    ]
    assert rejects.read_text().splitlines()[::2] == [f"_rejected;{rows[0]}", f'"7: {missing}";{rows[-1]}']


def test_rejected_rows_are_a_table_that_goes_in_when_it_is_corrected(here: Here) -> None:
    """With the same options; what nobody corrected is rejected again, and stands there as it came."""
    rows = [
        "source_type;field_id;field_type;submission_id;value_text;value_number",
        'survey;q1;bogus;s0;"two\nlines; and ""more""";',
        "survey;q1;number;s1;;04,5",
        'survey;q1;text;s2;"open;',
        "survey;q1;text;s3;M\xfcller;",
        "survey;q1",
        "survey;q1;text;s4;fine;",
    ]
    rejects, again = here.folder / "rejects.csv", here.folder / "again.csv"
    options = ("--source", "csv", "--tenant", here.tenant)
    file = here.write("file", "\r\n".join(rows).encode("latin-1"))
    assert here.backfill(file, *options, "--rejects", rejects)[1] == {"received": 6, "created": 1, "rejected": 5}
    header, *kept = rejects.read_bytes().split(b'\n"')
    assert header.split(b";", 1) == [b"_rejected", rows[0].encode() + b"\r"]
    assert [row.split(b":")[0] for row in kept] == [b"2", b"4", b"5", b"6", b"7"]
    assert [row.rstrip(b"\r\n").endswith(raw.encode("latin-1")) for row, raw in zip(kept, rows[1:-1], strict=True)] == [
        True
    ] * 5

    corrected = here.write("corrected.csv", rejects.read_bytes().replace(b"bogus", b"text").replace(b"04,5", b"4.5"))
    assert here.backfill(corrected, *options, "--rejects", again)[1] == {"received": 5, "created": 2, "rejected": 3}
    assert [record["submission_id"] for record in here.stored()] == ["s0", "s1", "s4"]
    assert here.backfill(again, *options, "--rejects", rejects)[1] == {"received": 3, "created": 0, "rejected": 3}
    assert [row.split(b";", 1)[1] for row in rejects.read_bytes().split(b"\n")[1:-1]] == [
        row.split(b";", 1)[1] for row in again.read_bytes().split(b"\n")[1:-1]
    ]


@pytest.mark.parametrize("source", ["records", "formbricks"])
def test_what_is_no_json_comes_back_until_it_is_corrected(here: Here, source: str) -> None:
    """However often the rejects are sent: nothing of it is lost, and nothing is made of it."""
    options = ("--source", source, "--tenant", here.tenant)
    lines = [b"{}", b"broken line", b'{"value_text": "M\xfcller"}', b"5", b'["a"]']
    first, second = here.folder / "first", here.folder / "second"
    assert here.backfill(here.write("file", b"\n".join(lines)), *options, "--rejects", first)[1]["rejected"] == 5
    assert here.backfill(first, *options, "--rejects", second)[1]["rejected"] == 5
    for rejects in (first, second):
        texts = [json.loads(line)["_rejected"].get("text") for line in rejects.read_bytes().splitlines()]
        assert texts == [None, "broken line", r'{"value_text": "M\xfcller"}', "5", '["a"]']


def test_a_text_that_was_corrected_goes_in(here: Here) -> None:
    """As the text, or as the members of a record beside it."""
    zero, one = here.records(2)
    lines: list[dict[str, object]] = [
        {"_rejected": {"line": 1, "text": json.dumps(zero, indent=1)}},
        {"_rejected": {"line": 2, "text": "x"}} | one,
    ]
    assert here.backfill(here.write("file", ndjson(lines)))[:2] == (0, {"received": 2, "created": 2, "rejected": 0})
    assert here.stored() == [zero, one]


@pytest.mark.parametrize("name", ["same", "link", "hard link", "other path", "mapping"])
def test_rejects_never_overwrite_what_is_read(here: Here, name: str) -> None:
    data = ndjson(here.records(1))
    file = here.write("self.ndjson", data)
    (here.folder / "link").symlink_to(file)
    (here.folder / "hard link").hardlink_to(file)
    rejects = {"same": file, "other path": here.folder / ".." / here.folder.name / file.name}.get(
        name, here.folder / name
    )
    options: tuple[str | Path, ...] = (file,)
    if name == "mapping":
        rejects.write_bytes(data)
        options = (here.write("table.csv", "a\n"), "--map", rejects)
    for arguments, stdin in ((options, b""), *([(("-",), data)] if name == "same" else [])):
        with file.open("rb") as piped:
            done = subprocess.run(
                here.command(*arguments, "--rejects", rejects), env=here.environment(), stdin=piped, capture_output=True,
                timeout=60, check=False,
            )  # fmt: skip
        assert (done.returncode, b"overwritten" in done.stderr) == (2, True), stdin
        assert rejects.read_bytes() == data


def test_rejects_of_the_run_before_stay_until_the_hub_has_answered(here: Here) -> None:
    """A wrong key is told, and costs nothing."""
    rejects = here.write("keep.txt", b"precious\n")
    file = here.write("file", ndjson(here.records(1)))
    assert here.backfill(file, "--rejects", rejects, "--key", "wrong")[0] == 1
    assert rejects.read_bytes() == b"precious\n"
    assert here.backfill(file, "--rejects", rejects)[0] == 0
    assert rejects.read_bytes() == b""


def test_rejects_that_cannot_be_written_are_told_before_anything_is_sent(here: Here) -> None:
    file = here.write("file", ndjson(here.records(1)))
    status, _, complaints = here.backfill(file, "--rejects", here.folder / "nonexistent" / "x")
    assert (status, complaints) == (1, f"hub: {here.folder}/nonexistent/x: No such file or directory\n")
    assert here.count() == 0


def test_rejects_of_another_tenant_are_told(here: Here) -> None:
    """An export that is sent to another tenant would seem to be there already."""
    records = here.records(2)
    file = here.write("file.ndjson", ndjson(records))
    header, row = ",".join(records[0]), ",".join(str(value) for value in records[0].values())
    table = here.write("file.csv", f"{header}\n{row}\n")
    assert here.backfill(file)[0] == 0
    for source, rejected in ((file, 2), (table, 1)):
        status, counts, complaints = here.backfill(source, "--tenant", "another")
        assert (status, counts) == (1, {"received": rejected, "created": 0, "rejected": rejected})
        assert "tenant_id must be another or absent" in complaints
    moved = ndjson([{name: value for name, value in record.items() if name != "tenant_id"} for record in records])
    assert here.backfill("-", "--tenant", f"{here.tenant}2", stdin=moved)[:2] == (
        0, {"received": 2, "created": 2, "rejected": 0},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "status", "said"),
    [
        ("empty.ndjson", b"", 0, "nothing to send"),
        ("empty.json", b"[]", 0, "nothing to send"),
        ("header.csv", b"source_type,field_id,field_type,submission_id\n", 0, "nothing to send"),
        ("wrong.csv", b"no,such\n", 1, "such is not a recognized request field"),
        ("records.ndjson", '{"a": 1}\n'.encode("utf-16"), 1, "UTF-8"),
        ("records.ndjson", '[{"a": 1}]'.encode("utf-16-le"), 1, "UTF-8"),
        ("table.csv", "source_type,field_id\n".encode("utf-16"), 1, "UTF-8"),
    ],
)
def test_a_file_of_which_nothing_is_read_is_told(here: Here, name: str, data: bytes, status: int, said: str) -> None:
    found, _, complaints = here.backfill(here.write(name, data), "--tenant", here.tenant)
    assert (found, said in complaints) == (status, True), complaints


def test_the_hub_keeps_rejects_under_the_line_of_the_file_and_the_tenant_of_the_command(here: Here) -> None:
    """However many chunks there were before, and blank lines."""
    rows = [
        "source_type,field_id,field_type,submission_id",
        "",
        "survey,q1",
        *(f"survey,q1,text,s{n}" for n in range(20_100)),
    ]
    rows += ["", "survey,q1", "", '"two\nlines"']
    file = here.write("file.csv", "\n".join(rows))
    status, counts, _ = here.backfill(file, "--tenant", here.tenant)
    assert (status, counts["rejected"]) == (1, 3)
    found = here.served.get(f"/v1/rejects?tenant_id={here.tenant}").json()["data"]
    assert sorted((reject["position"], reject["raw"]) for reject in found) == [
        (3, "survey,q1"), (20_105, "survey,q1"), (20_107, '"two\nlines"'),
    ]  # fmt: skip
    assert {reject["problem"]["detail"] for reject in found} == {
        "Invalid CSV: expected 4 cells, got 2", "Invalid CSV: expected 4 cells, got 1",
    }  # fmt: skip


def test_payloads_go_in_as_they_are(here: Here) -> None:
    """As a page, a list, lines or one alone: the hub makes the same records of them."""
    page = json.loads((PAYLOADS / "04_v1_responses_list.json").read_bytes())
    whole = here.write("page.json", json.dumps(page))
    options = ("--source", "formbricks", "--tenant", here.tenant)
    status, counts, _ = here.backfill(whole, *options)
    assert (status, counts["submissions"]) == (0, len(page["data"]))
    assert counts["created"] == here.count() > 0
    for name, data in (
        ("list.json", json.dumps(page["data"])),
        ("lines.ndjson", "\n".join(map(json.dumps, page["data"]))),
    ):
        status, again, _ = here.backfill(here.write(name, data), *options)
        assert (status, again["created"], again["unchanged"]) == (0, 0, counts["created"])


def test_a_payload_that_cannot_be_read_costs_itself(here: Here) -> None:
    good = json.loads((PAYLOADS / "04_v1_responses_list.json").read_bytes())["data"][0]
    rejects = here.folder / "rejects"
    options = ("--source", "formbricks", "--tenant", here.tenant, "--rejects", rejects)
    for listed in (True, False):
        payloads = [good, {"data": {}}, 5]
        data = json.dumps(payloads) if listed else "\n".join(map(json.dumps, payloads))
        status, counts, _ = here.backfill(here.write("file", data), *options)
        assert (status, counts["submissions"], counts["rejected"]) == (1, 1, 2)
        kept = [json.loads(line) for line in rejects.read_bytes().splitlines()]
        assert [each["_rejected"]["line"] for each in kept] == [2, 3]
        assert kept[0]["data"] == {}


@pytest.mark.parametrize(("answer", "reason", "status"), [(2e15, "out_of_range", 1), ("", "empty", 0)])
def test_an_answer_that_is_lost_is_told_by_the_exit_status(
    here: Here, answer: object, reason: str, status: int
) -> None:
    """And one that is left out on purpose is not."""
    payload = {"id": "r", "surveyId": "s", "createdAt": "2026-08-20T09:00:00Z", "data": {"q": answer, "why": "so"}}
    file = here.write("payload.json", json.dumps(payload))
    told, counts, _ = here.backfill(file, "--source", "formbricks", "--tenant", here.tenant)
    assert (told, counts[f"skipped: {reason}"], counts["created"]) == (status, 1, 1)


def test_a_dry_run_stores_nothing(here: Here) -> None:
    records = here.records(3)
    records[0]["field_type"] = "bogus"
    rejects = here.folder / "rejects"
    status, counts, _ = here.backfill(here.write("file", ndjson(records)), "--dry-run", "--rejects", rejects)
    assert (status, counts) == (1, {"received": 3, "created": 2, "rejected": 1})
    assert here.count() == 0
    assert len(rejects.read_bytes().splitlines()) == 1


def test_records_are_updated_when_that_is_asked_for(here: Here) -> None:
    here.backfill(here.write("file", ndjson(here.records(2))))
    changed = here.records(2)
    changed[1]["value_text"] = "other"
    file = here.write("changed", ndjson(changed))
    assert here.backfill(file, "--on-conflict", "update")[:2] == (
        0, {"received": 2, "created": 0, "updated": 1, "unchanged": 1, "rejected": 0},
    )  # fmt: skip
    assert here.backfill(file, "--on-conflict", "error")[:2] == (
        1, {"received": 2, "created": 0, "duplicate": 2, "rejected": 0},
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["FILE", "--source", "nosuch"],
        ["FILE", "--on-conflict", "maybe"],
        ["FILE", "--form", "f"],
        ["FILE", "--source", "formbricks", "--dry-run"],
        ["FILE", "--source", "formbricks", "--on-conflict", "update"],
        ["-", "--resume"],
        ["FILE", "--resume", "--dry-run"],
        ["/no/such/file"],
        ["FILE", "--url", "ftp://hub"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(here: Here, arguments: list[str]) -> None:
    file = str(here.write("file", b""))
    done = subprocess.run(
        here.command() [:4] + [file if each == "FILE" else each for each in arguments]
        + ([] if "--url" in arguments else ["--url", here.served.url]),
        env=here.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["key", "header"])
def test_a_refusal_is_one_line(here: Here, kind: str) -> None:
    """Nothing is gained by asking again, so it is not asked again."""
    header = b"no,such,columns" if kind == "header" else b"source_type,field_id,field_type"
    file = here.write("file", header + b",submission_id\n1,2,3,4\n")
    status, _, complaints = here.backfill(file, "--source", "csv", *(["--key", "wrong"] if kind == "key" else []))
    assert status == 1
    assert ("401" if kind == "key" else "such is not a recognized request field") in complaints
    assert "Traceback" not in complaints


def test_what_will_not_be_otherwise_is_not_tried_again(served: Served) -> None:
    """A 503 that says so is as final as any other refusal."""
    told: list[str] = []
    key = (served.data_dir / "api_key").read_text().strip()
    with Client(served.url, key, tell=told.append) as client, pytest.raises(RefusedError, match="503"):
        client.request("GET", "/v1/webhooks")
    assert told == []


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_of_a_truncated_file_everything_that_can_be_read_goes_in(here: Here, compress: object) -> None:
    assert callable(compress)
    data = compress(ndjson([record | {"value_text": os.urandom(500).hex()} for record in here.records(2000)]))
    status, _, complaints = here.backfill(here.write("file", data[: len(data) // 2]))
    assert status == 1
    assert "ended in the middle" in complaints
    assert 500 < here.count() < 2000


def many(here: Here, count: int) -> tuple[Path, list[dict[str, object]]]:
    records = here.records(count)
    return here.write("many.ndjson", ndjson(records)), records


def state(here: Here) -> int:
    """How many items the interrupted command knows to be stored."""
    files = list((here.folder / "cache" / "feedback-hub" / "backfill").glob("*.json"))
    return json.loads(files[0].read_bytes())["items"] if files else 0


@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "repeated"])
def test_a_command_that_was_killed_goes_on_or_starts_again(here: Here, resume: bool) -> None:
    """Either way every record is there once, and every reject is kept once."""
    records = here.records(90_000)
    for record in records[::9_000]:
        record["field_type"] = "bogus"
    file, rejects = here.write("many.ndjson", ndjson(records)), here.folder / "rejects"
    with subprocess.Popen(
        here.command(file, "--rejects", rejects),
        env=here.environment(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        await_true(lambda: state(here) > 0)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = state(here)
    assert 0 < done < 90_000
    status, counts, _ = here.backfill(file, "--rejects", rejects, *(["--resume"] if resume else []))
    assert (status, counts["received"], counts["rejected"]) == (1, 90_000, 10)
    assert here.count() == 89_990
    assert [json.loads(line)["_rejected"]["line"] for line in rejects.read_bytes().splitlines()] == list(
        range(1, 90_000, 9_000)
    )
    assert state(here) == 0
    if resume:
        assert counts["created"] >= done - 10


@pytest.mark.parametrize("before", [[], ["--rejects", "other"], ["--rejects", "rejects"]], ids=["none", "other", "cut"])
def test_going_on_without_the_rejects_so_far_is_refused(here: Here, before: list[str]) -> None:
    """A file of rejects that seems to have all of them must have them."""
    records = [record | {"value_text": os.urandom(500).hex()} for record in here.records(2000)]
    records[0]["field_type"] = "bogus"
    packed = gzip.compress(ndjson(records))
    file, rejects = here.write("broken-off.gz", packed[: len(packed) // 2]), here.folder / "rejects"
    options = [here.folder / each if not each.startswith("--") else each for each in before]
    assert here.backfill(file, *options)[0] == 1
    rejects.write_bytes(b"x")
    status, _, complaints = here.backfill(file, "--resume", "--rejects", rejects)
    assert (status, "before it was broken off" in complaints) == (2, True)
    assert rejects.read_bytes() == b"x"


def test_a_hub_that_was_killed_and_comes_back_gets_the_rest(tmp_path: Path) -> None:
    """The command waits for it; nothing is lost or doubled."""
    port = free_port()
    with serving(tmp_path / "data", port=port) as served:
        here = Here(served, tmp_path, "acme")
        file, records = many(here, 90_000)
        process = subprocess.Popen(
            here.command(file), env=here.environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            await_true(lambda: state(here) > 0)
            os.killpg(served.process.pid, signal.SIGKILL)
            served.process.wait()
            assert process.poll() is None
            with serving(tmp_path / "data", port=port) as again:
                _, complaints = process.communicate(timeout=90)
                assert process.returncode == 0, complaints
                here.served = again
                assert here.count() == len(records)
        finally:
            process.kill()
            process.communicate()


def test_two_backfills_at_once_end_with_every_record_once(here: Here) -> None:
    file, records = many(here, 30_000)
    commands = [
        subprocess.Popen(here.command(file), env=here.environment() | {"XDG_CACHE_HOME": str(here.folder / name)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]  # fmt: skip
    for command in commands:
        _, complaints = command.communicate(timeout=90)
        assert command.returncode == 0, complaints
    assert here.stored() == records


def test_memory_does_not_grow_with_the_file(here: Here) -> None:
    """A file of a hundred megabytes, compressed, and a hub that takes it."""
    line = json.dumps(make_record(tenant_id=here.tenant, value_text="x" * 20_000)).encode() + b"\n"
    with gzip.open(here.folder / "large.gz", "wb", compresslevel=1) as file:
        for _ in range(5_000):
            file.write(line)
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run(
        [sys.executable, "-c", program, *here.command(here.folder / "large.gz")],
        env=here.environment(), capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    assert int(done.stdout.splitlines()[-1]) < 200_000
    assert here.count() == 1


def test_at_a_terminal_there_is_a_bar(here: Here) -> None:
    """It says how many, how fast and how long still; the summary is left alone."""
    file, _ = many(here, 30_000)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        here.command(file),
        env=here.environment() | {"TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:  # a terminal ends with an error
            while data := terminal.read(4096):
                shown += data
        assert process.stdout is not None
        summary = process.stdout.read().decode()
    assert process.returncode == 0
    assert b"items, " in shown
    assert b"/s" in shown
    assert summary.split()[:2] == ["received", "30,000"]


def test_a_key_that_may_only_write_is_enough_for_records(here: Here) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "hub", "keys", "create", "importer", "--scope", "write", "--tenant", here.tenant],
        env=here.environment(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    records = [record | {"tenant_id": None} for record in here.records(3)]
    assert (
        here.backfill(here.write("file", ndjson(records)), "--key", made.stdout.strip(), "--tenant", here.tenant)[0]
        == 0
    )
    assert here.count() == 3


def test_without_a_key_the_command_says_where_to_find_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hub", "backfill", os.devnull],
        env=environment(tmp_path),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"No key" in done.stderr
