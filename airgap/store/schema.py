"""The catalog's tables (SQLAlchemy Core), for SQLite and for PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = 4
"""Raised with every change that an older program could not work with."""

# PostgreSQL would order by the rules of some language, and refuse what is longer than announced;
# SQLite orders by bytes, and takes lengths as hints.
_BYTEWISE = Text(collation="C")

_CHANNEL = String(128).with_variant(_BYTEWISE, "postgresql")
_BUNDLE_ID = String(128).with_variant(_BYTEWISE, "postgresql")
_DIGEST = String(135).with_variant(_BYTEWISE, "postgresql")  # "sha512:" and 128 digits
_NAME = String(255).with_variant(_BYTEWISE, "postgresql")
_LONG_NAME = Text().with_variant(_BYTEWISE, "postgresql")

DIGEST = _DIGEST
"""The type of digests, for queries that bring some along."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts about the store: ``schema_version``, ``store_id`` and the two layout generations."""

blobs = Table(
    "blobs",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("added", Double, nullable=False),
    Column("used", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Content that is there, manifests included. ``added`` and ``used`` are seconds since 1970;
``used`` is when somebody last put it or relied on its being there."""

manifests = Table(
    "manifests",
    metadata,
    Column("digest", _DIGEST, ForeignKey("blobs.digest"), primary_key=True),
    Column("media_type", _NAME, nullable=False),
    Column("artifact_type", _NAME),
    Column("subject", _DIGEST),
    Column("config", _DIGEST),
    Column("is_index", Boolean, nullable=False),
    Column("is_image", Boolean, nullable=False),
    Column("annotations", Text),
    Index("manifests_by_subject", "subject"),
    sqlite_with_rowid=False,
)
"""Content that is a manifest. ``annotations`` is JSON."""

edges = Table(
    "edges",
    metadata,
    Column("parent", _DIGEST, ForeignKey("manifests.digest"), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("child", _DIGEST, nullable=False),
    Column("media_type", _NAME, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("platform", Text),
    Column("annotations", Text),
    Index("edges_by_child", "child"),
    sqlite_with_rowid=False,
)
"""What a manifest names; the child may be absent. ``platform`` and ``annotations`` are JSON, kept
for the entries of an index only."""

repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain", _NAME, nullable=False),
    Column("path", _NAME, nullable=False),
    UniqueConstraint("domain", "path"),
)

members = Table(
    "members",
    metadata,
    Column("repository", Integer, ForeignKey("repositories.id"), primary_key=True),
    Column("digest", _DIGEST, ForeignKey("blobs.digest"), primary_key=True),
    Column("is_manifest", Boolean, primary_key=True),
    Index("members_by_digest", "digest"),
    sqlite_with_rowid=False,
)
"""Which content belongs to which repository. The same bytes can belong as a manifest, as a blob,
or as both; taking away one leaves the other."""

tags = Table(
    "tags",
    metadata,
    Column("repository", Integer, ForeignKey("repositories.id"), primary_key=True),
    Column("name", _DIGEST, primary_key=True),
    Column("digest", _DIGEST, ForeignKey("manifests.digest"), nullable=False),
    Column("updated", Double, nullable=False),
    Index("tags_by_digest", "digest"),
    sqlite_with_rowid=False,
)
"""Names. ``name`` is a tag, or a digest where untagged content is kept (a tag has no colon)."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("channel", _CHANNEL, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("bundle_id", _BUNDLE_ID, nullable=False),
    Column("digest", _DIGEST, nullable=False),
    Column("created", _NAME, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("base", Integer),
    Column("standing", String(16), nullable=False),
    Column("confirmed", Double),
    Column("blobs", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("path", Text),
    Column("files", Text),
    sqlite_with_rowid=False,
)
"""Every bundle that was exported for a channel. ``digest`` is that of ``bundle.json``; ``created``
is ISO 8601; ``blobs`` and ``bytes`` are what it carried; ``files`` is JSON: paths and sizes of what
was written and is still there."""

delivered_blobs = Table(
    "delivered_blobs",
    metadata,
    Column("channel", _CHANNEL, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("digest", _DIGEST, primary_key=True),
    sqlite_with_rowid=False,
)
"""What each bundle carried."""

delivered_bundles = Table(
    "delivered_bundles",
    metadata,
    Column("channel", _CHANNEL, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("bundle_json", LargeBinary, nullable=False),
    Column("is_compressed", Boolean, nullable=False),
    Column("is_encrypted", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
"""How each bundle was written, so that it can be written again. ``bundle_json`` is that document,
deflated (zlib)."""

delivered_content = Table(
    "delivered_content",
    metadata,
    Column("channel", _CHANNEL, primary_key=True),
    Column("digest", _DIGEST, primary_key=True),
    Column("since", Integer, primary_key=True),
    Column("until", Integer),
    sqlite_with_rowid=False,
)
"""What the names of a channel are made of: from which bundle on, and up to which one it no longer
was (NULL while it is). A bundle that changes little costs few rows, and every state that there was
can be told again."""

delivered_names = Table(
    "delivered_names",
    metadata,
    Column("channel", _CHANNEL, primary_key=True),
    Column("name", _LONG_NAME, primary_key=True),
    Column("since", Integer, primary_key=True),
    Column("until", Integer),
    Column("digest", _DIGEST, nullable=False),
    Column("media_type", _NAME, nullable=False),
    Column("size", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What the names of a channel stood for, likewise. ``name`` is a full reference."""

receptions = Table(
    "receptions",
    metadata,
    Column("channel", _CHANNEL, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("bundle_id", _BUNDLE_ID, nullable=False),
    Column("digest", _DIGEST, nullable=False),
    Column("received", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Every bundle of a channel that was taken in, on the side that imports."""

received_names = Table(
    "received_names",
    metadata,
    Column("channel", _CHANNEL, primary_key=True),
    Column("name", _LONG_NAME, primary_key=True),
    Column("digest", _DIGEST, nullable=False),
    sqlite_with_rowid=False,
)
"""The names that a channel has brought and not taken away, and what it let them stand for."""

imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("bundle_id", _BUNDLE_ID, nullable=False),
    Column("digest", _DIGEST, nullable=False),
    Column("channel", _CHANNEL),
    Column("sequence", Integer),
    Column("state", String(16), nullable=False),
    Column("started", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("evidence", Text, nullable=False),
    Index("imports_by_digest", "digest"),
)
"""The journal of imports: how far each one has come. ``evidence`` is JSON, and grows with it."""

pushes = Table(
    "pushes",
    metadata,
    Column("source", _LONG_NAME, primary_key=True),
    Column("target", _LONG_NAME, primary_key=True),
    Column("pushed", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Which repositories were pushed, what they are called there, and when last (seconds since 1970).
Both are full names."""

HISTORY = (
    deliveries,
    delivered_blobs,
    delivered_bundles,
    delivered_content,
    delivered_names,
    receptions,
    received_names,
    imports,
    pushes,
)
"""What cannot be told from the content: what was sent, taken in, and pushed where."""
