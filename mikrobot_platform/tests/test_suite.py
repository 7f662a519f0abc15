"""The suite in several processes: all of it by itself, what is named in one."""

from __future__ import annotations

import pytest

from mikrobot_platform.local.pytest_plugin import leads
from mikrobot_platform.local.suite import spread

TWO = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]


@pytest.mark.parametrize(
    ("words", "processors", "added"),
    [
        ([], 2, TWO),
        (["-q", "--durations=9"], 2, TWO),
        ([], 16, ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]),
        ([], 1, []),
        (["accounts"], 2, []),
        (["-k", "vault"], 2, []),
        (["-n0"], 2, []),
        (["-n", "3"], 2, []),
        (["--pdb"], 2, []),
        (["--collect-only"], 2, []),
    ],
)
def test_all_of_it_is_shared_and_what_is_named_is_not(words: list[str], processors: int, added: list[str]) -> None:
    assert spread(words, processors=processors) == added


@pytest.mark.parametrize(
    ("words", "is_leading"),
    [([], False), (TWO, True), (["-n2"], True), (["-n0"], False), (["-n", "0"], False), (["--numprocesses=3"], True)],
)
def test_who_leads_others_needs_no_stores(words: list[str], is_leading: bool) -> None:
    assert leads(words) is is_leading
