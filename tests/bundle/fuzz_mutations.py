"""What the fuzzer does to bundles: at random, but the same for the same seed. Pure."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import zstandard

from airgap.bundle import tar
from airgap.bundle.layout import BUNDLE_DIGEST_NAME, encode_bundle_digest
from airgap.bundle.volumes import INDEX_SUFFIX, read_file_name
from airgap.oci.digest import Digest
from tests.bundle.fuzz_subjects import NAME, Subject

Random: TypeAlias = random.Random
Files: TypeAlias = dict[str, bytes]
Members: TypeAlias = list[tuple[bytes, bytes]]
"""Header and content of each member."""

Mutation: TypeAlias = Callable[[Random, Subject], Files]


def boundaries(content: bytes) -> list[int]:
    """Return where headers, contents and paddings of a tar begin and end."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = archive.getmembers()
    edges = {0, len(content), len(content) - tar.BLOCK, len(content) - 2 * tar.BLOCK}
    for member in members:
        edges |= {member.offset, member.offset_data, member.offset_data + member.size}
    return sorted(edges)


# The bytes as they are stored: bit rot, and copies that went wrong


def flipped(chance: Random, subject: Subject) -> Files:
    """Flip one bit of any file."""
    name, content = _any_file(chance, subject)
    raw = bytearray(content)
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return {**subject.files, name: bytes(raw)}


def flipped_front(chance: Random, subject: Subject) -> Files:
    """Flip one bit among the first bytes, where formats keep what they say of themselves."""
    name, content = _bundle_file(chance, subject)
    raw = bytearray(content)
    raw[chance.randrange(min(len(raw), 64))] ^= 1 << chance.randrange(8)
    return {**subject.files, name: bytes(raw)}


def cut(chance: Random, subject: Subject) -> Files:
    """Cut a file anywhere."""
    name, content = _bundle_file(chance, subject)
    return {**subject.files, name: content[: chance.randrange(len(content))]}


def cut_at_a_boundary(chance: Random, subject: Subject) -> Files:
    """Cut the tar where a member, its header or its padding ends, or a byte beside that."""
    inside = subject.inside()
    edge = chance.choice(boundaries(inside)) + chance.choice((-1, 0, 0, 1))
    return _whole(subject, subject.around(inside[: max(0, min(edge, len(inside) - 1))]))


def lengthened(chance: Random, subject: Subject) -> Files:
    """Append bytes: noise, zeros, or the file itself."""
    name, content = _bundle_file(chance, subject)
    more = chance.choice((chance.randbytes(chance.randint(1, 600)), bytes(512), content))
    return {**subject.files, name: content + more}


def mangled(chance: Random, subject: Subject) -> Files:
    """Overwrite, drop, double or zero a run of bytes."""
    name, content = _bundle_file(chance, subject)
    start, end = sorted(chance.sample(range(len(content) + 1), 2))
    junk = chance.randbytes(chance.randint(1, 600))
    changed = chance.choice(
        (
            content[:start] + junk + content[start + len(junk) :],
            content[:start] + content[end:],
            content[:end] + content[start:],
            content[:start] + junk + content[start:],
            content[:start] + bytes(end - start) + content[end:],
        )
    )
    return {**subject.files, name: changed}


# Members: made up by somebody who knows the format


def member_moved(chance: Random, subject: Subject) -> Files:
    """Swap two members, or take one to another place."""
    members = _members(subject)
    first, second = chance.sample(range(len(members)), 2)
    if chance.random() < 1 / 2:
        members[first], members[second] = members[second], members[first]
    else:
        members.insert(second, members.pop(first))
    return _packed(subject, members)


def member_doubled(chance: Random, subject: Subject) -> Files:
    """Put a member in twice, or leave it out."""
    members = _members(subject)
    place = chance.randrange(len(members))
    if chance.random() < 1 / 2:
        members.insert(chance.randint(0, len(members)), members[place])
    else:
        members.pop(place)
    return _packed(subject, members)


def member_renamed(chance: Random, subject: Subject) -> Files:
    """Give a member a name that it must not have, or make it no file."""
    members = _members(subject)
    place = chance.randrange(len(members))
    header, content = members[place]
    found = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    how = chance.randrange(3)
    if how == 0:
        found.name = chance.choice(
            ("/etc/passwd", "../" * 9 + "etc/passwd", "./" + found.name, "blobs", "a\\b", "x" * 99)
        )
    elif how == 1:
        found.type = chance.choice((b"1", b"2", b"3", b"5", b"6", b"S", b"x", b"L", b"\0"))
        found.linkname = "/etc/passwd"
    else:
        found.mode, found.uid, found.mtime = chance.choice(
            ((0o4755, 0, 0), (0o644, 1000, 0), (0o644, 0, 1))
        )
    members[place] = (found.tobuf(tarfile.USTAR_FORMAT), content)
    return _packed(subject, members)


def size_lied(chance: Random, subject: Subject) -> Files:
    """Let a header announce another size, with a checksum that is right."""
    members = _members(subject)
    place = chance.randrange(len(members))
    found = tarfile.TarInfo.frombuf(members[place][0], "ascii", "strict")
    sizes = (0, 1, found.size - 1, found.size + 1, found.size + 512, 1 << 20, 1 << 32)
    found.size = max(0, chance.choice(sizes))
    header = found.tobuf(tarfile.GNU_FORMAT if chance.random() < 1 / 2 else tarfile.PAX_FORMAT)
    members[place] = (header, members[place][1])
    return _packed(subject, members)


def content_changed(chance: Random, subject: Subject) -> Files:
    """Give a member other content, under a header that fits."""
    members = _members(subject)
    place = chance.randrange(len(members))
    header, content = members[place]
    found = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    changed = chance.choice((chance.randbytes(len(content)), content[:-1], content + b"\n", b""))
    members[place] = (tar.header(found.name, len(changed)), changed)
    return _packed(subject, members)


# Documents


def json_changed(chance: Random, subject: Subject) -> Files:
    """Change something in ``bundle.json``, and let ``index.json`` name the new digest."""
    document = json.loads(_bundle_json(subject))
    _change_somewhere(chance, document)
    return _with_bundle_json(subject, json.dumps(document, separators=(",", ":")).encode())


def json_bomb(chance: Random, subject: Subject) -> Files:
    """Put something into ``bundle.json`` that takes time or memory to read."""
    good = _bundle_json(subject).rstrip()
    count = 10 ** chance.randint(2, 6)
    bomb = chance.choice(
        (
            b"[" * count,
            b'{"a":' * count,
            b'{"a":' + b"[" * count + b"]" * count + b"}",
            b'{"format":' + b"9" * count + b"}",
            b'{"format":1e' + b"9" * min(count, 4000) + b"}",
            b'{"format":1' + b',"format":1' * count + b"," + good[1:],
            good[:-1] + b',"format":1' * count + b"}",
            good[:-1] + b',"more":[' + b"[]," * count + b"0]}",
            good[:-1] + b',"more":[' + b"{}," * count + b"0]}",
            good[:-1] + b',"more":"' + b"\\u0000" * count + b'"}',
            good[:-1] + b',"more":"\\ud800"}',
            good[:-1] + b" " * chance.choice((count, 1 << 25)) + b"}",
            good.replace(b'"size":', b'"size":' + b"1" * min(count, 5000), 1),
            good.decode().encode("utf-16"),
            b"\xef\xbb\xbf" + good,
        )
    )
    return _with_bundle_json(subject, bomb)


def _change_somewhere(chance: Random, document: Any) -> None:
    """Walk down at random and replace what is there."""
    while True:
        keys: list[Any] = list(document if isinstance(document, dict) else range(len(document)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(document[key], dict | list) and document[key] and chance.random() < 4 / 5:
            document = document[key]
            continue
        if isinstance(document, dict) and chance.random() < 1 / 5:
            del document[key]
        else:
            document[key] = _strange_value(chance, document[key])
        return


def _strange_value(chance: Random, value: Any) -> Any:
    if isinstance(value, int) and chance.random() < 2 / 3:
        return chance.choice((value + 1, value - 1, -value, 0, 1 << 50, 10**40, float(value)))
    if isinstance(value, str) and value and chance.random() < 2 / 3:
        place = chance.randrange(len(value))
        other = chance.choice("0aZ/.:-\0\n é\u202e")
        return chance.choice((value[:place] + other + value[place + 1 :], value[:-1], value * 2))
    return chance.choice((None, True, 0, -1, 1.5, "", "x", [], {}, [[]], "sha256:" + "0" * 64))


# Zstd


def zstd_bomb(chance: Random, subject: Subject) -> Files:
    """Let a few kilobytes stand for gigabytes, at once or behind a good head."""
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True).compressobj()
    pieces = []
    if chance.random() < 1 / 2:
        inside = subject.inside()
        pieces.append(compressor.compress(inside[: chance.choice(boundaries(inside))]))
    pieces += [compressor.compress(bytes(1 << 24)) for _ in range(chance.choice((1, 64)))]
    return _whole(subject, subject.sealed(b"".join(pieces) + compressor.flush()))


def zstd_frames(chance: Random, subject: Subject) -> Files:
    """Write the frame in another way: window, level, several frames, frames to be skipped."""
    inside = subject.inside()
    how = chance.randrange(4)
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0\xde\xad\xbe\xef"
    if how == 0:
        window = chance.choice((10, 20, 26, 27, 28, 30))
        parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=window)
        stored = zstandard.ZstdCompressor(compression_params=parameters).compress(inside)
    elif how == 1:
        edge = chance.choice(boundaries(inside))
        one = zstandard.ZstdCompressor(write_checksum=chance.random() < 1 / 2)
        stored = one.compress(inside[:edge]) + one.compress(inside[edge:])
    elif how == 2:
        stored = zstandard.compress(inside)
        stored = chance.choice((skipped + stored, stored + skipped))
    else:
        stored = zstandard.ZstdCompressor(write_content_size=False).compress(inside)
    return _whole(subject, subject.sealed(stored))


# Volumes


def volumes_swapped(chance: Random, subject: Subject) -> Files:
    """Let two volumes have each other's name, or one both."""
    first, second = chance.sample(_volume_names(subject), 2)
    files = {**subject.files}
    files[first] = subject.files[second]
    if chance.random() < 1 / 2:
        files[second] = subject.files[first]
    return files


def volumes_mixed(chance: Random, subject: Subject) -> Files:
    """Put a volume, or the index, of another set among them."""
    assert subject.others is not None
    name = chance.choice([name for name in subject.others if name in subject.files])
    return {**subject.files, name: subject.others[name]}


def volume_lost(chance: Random, subject: Subject) -> Files:
    """Take a file away."""
    lost = chance.choice(list(subject.files))
    return {name: raw for name, raw in subject.files.items() if name != lost}


def index_changed(chance: Random, subject: Subject) -> Files:
    """Let the index say something else."""
    name = NAME + INDEX_SUFFIX
    document = json.loads(subject.files[name])
    _change_somewhere(chance, document)
    return {**subject.files, name: json.dumps(document).encode()}


EVERYWHERE: Mapping[str, Mutation] = {
    "one bit flipped": flipped,
    "one bit flipped in front": flipped_front,
    "cut anywhere": cut,
    "bytes appended": lengthened,
    "run of bytes mangled": mangled,
}
INSIDE: Mapping[str, Mutation] = {
    "cut at a boundary": cut_at_a_boundary,
    "members moved": member_moved,
    "member doubled or dropped": member_doubled,
    "member renamed or retyped": member_renamed,
    "member's size lied about": size_lied,
    "member's content changed": content_changed,
    "bundle.json changed": json_changed,
    "bundle.json a bomb": json_bomb,
}
COMPRESSED: Mapping[str, Mutation] = {
    "zstd bomb": zstd_bomb,
    "zstd frames rewritten": zstd_frames,
}
IN_VOLUMES: Mapping[str, Mutation] = {
    "volumes swapped": volumes_swapped,
    "volumes of two sets mixed": volumes_mixed,
    "file of a set lost": volume_lost,
    "index of volumes changed": index_changed,
}


def mutations_of(subject: Subject) -> Mapping[str, Mutation]:
    """Return what can be done to a bundle of its kind, by name."""
    fitting = {**EVERYWHERE}
    if subject.has_volumes:
        fitting |= IN_VOLUMES
    else:
        fitting |= INSIDE
    if subject.is_compressed and not subject.has_volumes:
        fitting |= COMPRESSED
    return fitting


def _any_file(chance: Random, subject: Subject) -> tuple[str, bytes]:
    names = sorted(subject.files)
    (name,) = chance.choices(names, [max(1000, len(subject.files[name])) for name in names])
    return name, subject.files[name]


def _bundle_file(chance: Random, subject: Subject) -> tuple[str, bytes]:
    if not subject.has_volumes:
        return NAME, subject.files[NAME]
    name = chance.choice(_volume_names(subject))
    return name, subject.files[name]


def _volume_names(subject: Subject) -> list[str]:
    return sorted(name for name in subject.files if read_file_name(name) is not None)


def _whole(subject: Subject, stored: bytes) -> Files:
    return {**subject.files, NAME: stored}


def _members(subject: Subject) -> Members:
    content = subject.inside()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [
            (content[m.offset : m.offset_data], content[m.offset_data : m.offset_data + m.size])
            for m in archive.getmembers()
        ]


def _packed(subject: Subject, members: Members) -> Files:
    pieces = [header + raw + bytes(tar.padding(len(raw))) for header, raw in members]
    return _whole(subject, subject.around(b"".join([*pieces, tar.END])))


def _bundle_json(subject: Subject) -> bytes:
    return next(
        raw for header, raw in _members(subject) if header.startswith(b"airgap/bundle.json")
    )


def _with_bundle_json(subject: Subject, raw: bytes) -> Files:
    members = _members(subject)
    for place, (header, content) in enumerate(members):
        if header.startswith(b"airgap/bundle.json"):
            members[place] = (tar.header("airgap/bundle.json", len(raw)), raw)
        elif header.startswith(b"index.json"):
            index = json.loads(content)
            index["annotations"]["io.airgap.bundle.digest"] = Digest.of(raw)
            changed = json.dumps(index, separators=(",", ":")).encode()
            members[place] = (tar.header("index.json", len(changed)), changed)
        elif header.startswith(BUNDLE_DIGEST_NAME.encode()):
            changed = encode_bundle_digest(Digest.of(raw))
            members[place] = (tar.header(BUNDLE_DIGEST_NAME, len(changed)), changed)
    return _packed(subject, members)
