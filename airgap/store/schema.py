"""The catalog's tables (SQLAlchemy Core; nothing here is particular to SQLite)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = 1
"""Raised with every change that an older program could not work with."""

_DIGEST = String(135)  # "sha512:" and 128 digits
_NAME = String(255)

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
