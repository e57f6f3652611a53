"""Who signed a bundle, and whether that is enough. Pure.

Signatures are detached, over the exact bytes of ``bundle.json``, which names everything else by
digest. A bundle may carry several; what counts is how many different trusted keys have signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from airgap.bundle.keys import PrivateKey, PublicKey
from airgap.errors import ConfigError, Refused


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """Whose signatures an importer wants.

    Attributes:
        trusted: the keys that count, old and new ones of a rotation side by side; none means that
            nothing is asked for.
        threshold: how many different ones of them must have signed.
    """

    trusted: tuple[PublicKey, ...] = ()
    threshold: int = 1

    def __post_init__(self) -> None:
        """Check that the policy can be met.

        Raises:
            ConfigError: more keys must sign than there are.
        """
        distinct = {key.id: key for key in self.trusted}
        object.__setattr__(self, "trusted", tuple(distinct.values()))
        if self.threshold < 1 or (self.trusted and self.threshold > len(self.trusted)):
            raise ConfigError(
                "threshold",
                f"{self.threshold} signatures are asked for, and {len(self.trusted)} different "
                "keys are trusted",
                "trust more keys, or ask for fewer signatures",
            )


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What the signatures of a bundle are worth under a policy.

    Attributes:
        policy: what was asked for.
        valid: trusted keys that have signed exactly these bytes.
        forged: trusted keys in whose name there is a signature that is not theirs.
        absent: trusted keys without a signature.
        unknown: ids of signatures by keys that are not trusted; they were not checked.
    """

    policy: SignaturePolicy
    valid: tuple[PublicKey, ...]
    forged: tuple[PublicKey, ...]
    absent: tuple[PublicKey, ...]
    unknown: tuple[str, ...]

    @property
    def is_checked(self) -> bool:
        """Whether any keys are trusted, so that the bundle's origin means something."""
        return bool(self.policy.trusted)

    def require(self, bundle: str) -> None:
        """Let a bundle pass that has what the policy asks for.

        Raises:
            Refused: a signature does not fit, or too few trusted keys have signed.
        """
        if self.forged:
            raise Refused(
                bundle,
                f"its signature in the name of {_listed(self.forged)} does not fit",
                "bundle.json is not what was signed: ask for the bundle again, and find out why",
            )
        missing = self.policy.threshold - len(self.valid)
        if not self.is_checked or missing <= 0:
            return
        threshold, trusted = self.policy.threshold, len(self.policy.trusted)
        wanted = f"{threshold} of {trusted} trusted keys must sign it"
        if self.valid:
            cause = f"{wanted}, and only {_listed(self.valid)} did; missing is any of "
        elif self.unknown:
            cause = f"{wanted}, and only unknown ones did ({', '.join(self.unknown)}); missing is "
        else:
            cause = f"is not signed, and {wanted}; missing is "
        raise Refused(
            bundle,
            cause + _listed(self.absent),
            "export it with --sign KEY; a new key must be trusted here first (trust: signers)",
        )


def check_signatures(
    bundle_json: bytes, signatures: Mapping[str, bytes], policy: SignaturePolicy
) -> SignatureVerdict:
    """Check every signature whose key is trusted.

    Args:
        bundle_json: the exact bytes.
        signatures: detached signatures by key id.
        policy: the keys that are trusted.
    """
    valid: list[PublicKey] = []
    forged: list[PublicKey] = []
    absent: list[PublicKey] = []
    for key in policy.trusted:
        signature = signatures.get(key.id)
        if signature is None:
            absent.append(key)
        elif key.accepts(signature, bundle_json):
            valid.append(key)
        else:
            forged.append(key)
    known = {key.id for key in policy.trusted}
    unknown = tuple(key_id for key_id in sorted(signatures) if key_id not in known)
    return SignatureVerdict(policy, tuple(valid), tuple(forged), tuple(absent), unknown)


def signer(keys: Sequence[PrivateKey]) -> Callable[[bytes], dict[str, bytes]]:
    """Return what signs the bytes of a ``bundle.json`` with every key."""

    def sign(bundle_json: bytes) -> dict[str, bytes]:
        return {key.public.id: key.sign(bundle_json) for key in keys}

    return sign


def _listed(keys: Sequence[PublicKey]) -> str:
    return ", ".join(map(str, keys))
