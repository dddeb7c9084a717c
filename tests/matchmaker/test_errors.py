"""The catalogue of errors: unique codes, whole sentences, facts in their places."""

from __future__ import annotations

import inspect
import string
from typing import get_type_hints

import pytest

from hpool.matchmaker.model import again, image_errors, inheriting, places  # noqa: F401 - their parts of the catalogue
from hpool.matchmaker.model.errors import CATALOGUE, HpoolError, ProgramNotFound, Reported
from hpool.shadow.api.job import Problem


@pytest.mark.parametrize("error", CATALOGUE.values(), ids=lambda error: error.code)
def test_every_error_explains_itself_with_its_own_facts(error: type[HpoolError]) -> None:
    facts = set(vars(error).get("__annotations__", ()))
    for template in (error.says, error.remedy):
        named = {name.partition(":")[0] for _, name, _, _ in string.Formatter().parse(template) if name}
        assert named <= facts
    assert inspect.getdoc(error)
    assert error.exit_code in {125, 126, 127}


def test_facts_are_given_by_place_or_by_name() -> None:
    assert ProgramNotFound("a", " on PATH").program == ProgramNotFound(program="a", where="").program == "a"
    with pytest.raises(TypeError):
        ProgramNotFound("a")  # type: ignore[call-arg]


def test_two_errors_cannot_share_a_code() -> None:
    with pytest.raises(TypeError):
        type("Twin", (HpoolError,), {"code": "RUN-001"})


def test_an_error_carried_to_another_process_reads_the_same() -> None:
    error = ProgramNotFound("a", " on PATH")
    carried = Problem.of(error).error()
    assert isinstance(carried, Reported)
    assert (str(carried), carried.code, carried.exit_code) == (str(error), error.code, error.exit_code)
    assert Problem.of(carried) == Problem.of(error)


def test_annotations_resolve() -> None:
    for error in CATALOGUE.values():
        get_type_hints(error)
