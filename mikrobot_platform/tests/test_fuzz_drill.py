"""The drill of the readers: what it counts, when it is passed, and what it keeps of readers that guess."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from mikrobot_platform.drills import fuzz
from mikrobot_platform.measurement import Measurement
from trading.rehearsal.messages import CLIENTS
from trading.rehearsal.samples import CORPUS

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "runs", "same", "changed", "refused", "codes", "wrong", "exceptions", "corpus", "corpus_wrong", "cuts", "seconds",
}  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, settings: Settings) -> Path:
    """Give the drill an empty folder for its data, and say where it would write."""
    settings.DATA_DIR = tmp_path
    return tmp_path / "drills-fuzz" / "seed-7.jsonl"


def drill(out: io.StringIO, *words: str) -> Any:
    """Run it as a person does; where it was not passed, what it wrote stands in `out`."""
    call_command("drill", "fuzz", *words, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_good_readers_pass_and_leave_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.parent.mkdir()
    place.write_text("what an earlier run found", encoding="ascii")
    measured = drill(io.StringIO(), "--mutations", "2000")
    assert set(measured) == {"name", "commit", "machine", "parameters", "results"}
    assert (measured["name"], measured["parameters"]) == ("fuzz", {"mutations": 2000, "seed": 7})
    results = measured["results"]
    assert results.keys() == KEYS
    assert results["runs"] == results["same"] + results["changed"] + results["refused"] == 2000
    assert results["corpus"] >= 200
    assert results["cuts"] > 20_000
    assert results["codes"] >= 15
    assert not any(results[key] for key in ("wrong", "exceptions", "corpus_wrong"))
    assert not place.exists()
    assert f"corpus {results['corpus']} messages" in capsys.readouterr().err


def test_what_is_found_is_kept_with_its_bytes(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the readers make up a symbol: they fail the corpus and the chance, and the bytes can be read again."""
    monkeypatch.setattr("mikrobot_platform.kernel.market.symbol", lambda text: text.strip(" ")[:5])
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        drill(out, "--mutations", "2000")
    assert ended.value.code == 1
    results = json.loads(out.getvalue())["results"]
    found = [json.loads(line) for line in place.read_text(encoding="ascii").splitlines()]
    assert len(found) == results["corpus_wrong"] + results["wrong"] + results["exceptions"]
    assert min(results["corpus_wrong"], results["wrong"]) > 0
    assert str(place) in capsys.readouterr().err
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    stored = next(line for line in found if line["name"] == "ea_file/eurjpy_bull.utf16.json")
    assert bytes.fromhex(stored["hex"]) == (CORPUS / stored["name"]).read_bytes()
    assert '"symbol": "EURJP"' in stored["why"]


@pytest.mark.parametrize(
    ("figure", "value"), [("wrong", 1), ("exceptions", 1), ("corpus_wrong", 1), ("runs", 99), ("corpus", 199)]
)
def test_one_figure_is_enough_to_fail(figure: str, value: int) -> None:
    good = dict.fromkeys(KEYS, 0) | {"runs": 100, "corpus": 200}
    assert fuzz.has_passed(_measured(100, good))
    assert not fuzz.has_passed(_measured(100, good | {figure: value}))


def test_no_mutation_is_no_success() -> None:
    assert not fuzz.has_passed(_measured(0, dict.fromkeys(KEYS, 0) | {"corpus": 200}))


def _measured(mutations: int, results: dict[str, int]) -> Measurement:
    return Measurement(name="fuzz", parameters={"mutations": mutations, "seed": 7}, results=results)


@pytest.mark.parametrize("folder", [CORPUS, CLIENTS], ids=lambda folder: folder.name)
def test_what_it_reads_is_in_the_image(folder: Path) -> None:
    """The image holds the six packages without their tests: see .dockerignore."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    inside = folder.relative_to(ROOT)
    assert f"!{inside.parts[0]}" in patterns
    assert "**/tests" in patterns
    assert not {f"**/{part}" for part in inside.parts} & set(patterns)
