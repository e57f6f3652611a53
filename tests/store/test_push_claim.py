"""A server's claim: how it holds, is inherited, and runs out."""

from __future__ import annotations

import os
import time

import pytest

from airgap.store.push_claim import HEIR_SECONDS, SUFFIX, PushClaim, read_claim
from airgap.store.sessions import oldest_session
from airgap.store.store import Store
from tests.support.postgres import ON_BOTH


@pytest.fixture
def claim(store: Store) -> PushClaim:
    """A claim on the store."""
    return PushClaim(store.places, store.locks)


@ON_BOTH
def test_a_claim_counts_among_the_sessions(store: Store, claim: PushClaim) -> None:
    """Collection sees the oldest of them all; a claim that is let go leaves nothing."""
    assert oldest_session(store.places, store.locks) is None
    claim.reach_back_to(100.0)
    assert oldest_session(store.places, store.locks) == 100.0
    claim.reach_back_to(200.5)
    assert oldest_session(store.places, store.locks) == 200.5
    claim.reach_back_to(None)
    assert list(store.places.sessions.iterdir()) == []


@ON_BOTH
def test_a_claim_left_behind_is_taken_over(store: Store, claim: PushClaim) -> None:
    """The next server has it at once, and there is one file again."""
    claim.reach_back_to(100.0)
    claim.close()
    assert oldest_session(store.places, store.locks) == 100.0
    heir = PushClaim(store.places, store.locks)
    assert heir.inherit() == 100.0
    assert len(list(store.places.sessions.iterdir())) == 1
    assert PushClaim(store.places, store.locks).inherit() is None
    heir.reach_back_to(None)
    assert oldest_session(store.places, store.locks) is None


@ON_BOTH
def test_a_claim_of_a_living_server_is_not_taken(store: Store, claim: PushClaim) -> None:
    """Two servers over one store each have their own, and the older counts."""
    claim.reach_back_to(100.0)
    other = PushClaim(store.places, store.locks)
    assert other.inherit() is None
    other.reach_back_to(50.0)
    assert oldest_session(store.places, store.locks) == 50.0
    other.reach_back_to(None)
    assert oldest_session(store.places, store.locks) == 100.0
    claim.close()


@ON_BOTH
def test_a_claim_left_behind_runs_out(store: Store, claim: PushClaim) -> None:
    """A server that never comes back keeps nothing for ever."""
    claim.reach_back_to(100.0)
    claim.close()
    (path,) = store.places.sessions.glob(f"*{SUFFIX}")
    long_ago = time.time() - HEIR_SECONDS - 1
    os.utime(path, (long_ago, long_ago))
    assert read_claim(path, store.locks) == (None, False)
    assert oldest_session(store.places, store.locks) is None
    assert list(store.places.sessions.iterdir()) == []


@ON_BOTH
def test_a_claim_that_nobody_can_read_claims_everything(store: Store) -> None:
    """Too much is kept for an hour rather than too little."""
    path = store.places.sessions / f"x{SUFFIX}"
    path.write_bytes(b"?")
    assert oldest_session(store.places, store.locks) == 0.0
