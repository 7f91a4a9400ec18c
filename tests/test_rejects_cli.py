"""`hub rejects` against a running hub."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import make_record
from tests.process import Served, environment, hub, serving

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("rejects") / "data") as served:
        yield served


def rejects(served: Served, *arguments: str) -> tuple[int, list[str], str]:
    """Exit status, lines and complaints."""
    done = hub(served.data_dir, "rejects", *arguments, "--url", served.url)
    return done.returncode, done.stdout.splitlines(), done.stderr


def send(served: Served, *records: object) -> str:
    """The id of the batch."""
    key = (served.data_dir / "api_key").read_text().strip()
    answer = httpx.post(
        f"{served.url}/v1/feedback-records/batch", json=records, headers={"Authorization": f"Bearer {key}"}
    )
    batch_id: str = answer.json()["batch_id"]
    return batch_id


def test_rejects_are_listed_exported_and_retried(served: Served, tmp_path: Path) -> None:
    """With the key of DATA_DIR; what is stored is gone, what is not stays, and the exit status says so."""
    batch = send(served, make_record(field_type="x"), make_record(field_type="y", field_id="q2"))
    status, (header, first, second), _ = rejects(served, "list", "--batch", batch)
    assert status == 0
    assert header.split() == ["ID", "FROM", "AT", "TENANT", "WHEN", "WHY"]
    assert first.split()[1:4] == [batch, "0", "acme"]
    assert 'field_type has invalid value "x"' in first

    status, lines, _ = rejects(served, "export", "--tenant", "acme")
    assert [json.loads(line)["field_id"] for line in lines] == ["q1", "q2"]
    assert status == 0

    status, lines, complaint = rejects(served, "retry", "--batch", batch)
    assert (status, lines) == (1, ["2 still wrong"])
    assert 'field_type has invalid value "y"' in complaint

    (tmp_path / "record.json").write_text(json.dumps(make_record()))
    identity = first.split()[0]
    status, lines, _ = rejects(served, "retry", identity, "--record", str(tmp_path / "record.json"))
    assert (status, lines) == (0, ["1 stored"])
    status, lines, _ = rejects(served, "retry", identity)
    assert (status, lines) == (0, ["1 gone"])
    status, lines, _ = rejects(served, "retry", second.split()[0], "--record", str(tmp_path / "record.json"))
    assert (status, lines) == (0, ["1 there already"])
    assert len(rejects(served, "list")[1]) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["retry"], "Give IDs"),
        (["retry", "x", "--all"], "Give IDs"),
        (["retry", "--all", "--record", "-"], "--record needs one ID"),
        (["list", "--url", "localhost"], "--url"),
    ],
)
def test_wrong_words_are_named(served: Served, arguments: list[str], complaint: str) -> None:
    done = hub(served.data_dir, "rejects", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_refusal_is_one_line(served: Served) -> None:
    """With what the hub said."""
    for arguments, said in ((["list", "--key", "wrong"], "Invalid API key"), (["list", "--batch", "x"], "valid UUID")):
        status, lines, complaint = rejects(served, *arguments)
        assert (status, lines) == (1, [])
        assert said in complaint
        assert complaint.count("\n") == 1


def test_the_environment_names_the_hub(served: Served) -> None:
    """PORT, and the key of DATA_DIR."""
    assert "PORT" not in environment(served.data_dir)
    done = hub(served.data_dir, "rejects", "list", PORT=served.url.rpartition(":")[2])
    assert done.returncode == 0
