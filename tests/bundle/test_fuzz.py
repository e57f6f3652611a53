"""The fuzzer over the bundle reader runs with the tests, for some seconds and from one seed."""

from __future__ import annotations

import random
import sys

import pytest

from tests.bundle.fuzz_mutations import mutations_of
from tests.bundle.fuzz_subjects import Subject, make_subjects
from tests.support.command import run

SECONDS = 20


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    """Return a good bundle of each kind."""
    return make_subjects(tmp_path_factory.mktemp("subjects"))


async def test_mutated_bundles_are_refused_or_change_nothing() -> None:
    """No trial publishes anything else, fails with another error, hangs, or takes much memory."""
    command = ("-m", "tests.bundle.fuzz", "--seconds", str(SECONDS), "--seed", "1")
    done = await run(sys.executable, *command)
    assert done.code == 0, done.out + done.err
    assert " 0 findings" in done.out


def test_every_mutation_changes_bundles(subjects: list[Subject]) -> None:
    """Each of them, for each kind of bundle that it is for, does something to it."""
    for subject in subjects:
        for name, mutation in mutations_of(subject).items():
            changed = [
                mutation(random.Random(seed), subject) != subject.files  # noqa: S311 - repeatable
                for seed in range(3)
            ]
            assert any(changed), (subject.name, name)


def test_a_good_bundle_is_what_it_is_made_of(subjects: list[Subject]) -> None:
    """The fuzzer reads what is inside by means of its own, and finds the same tar in all kinds."""
    inside = {subject.inside() for subject in subjects if not subject.policy.trusted}
    assert len(inside) == 1
