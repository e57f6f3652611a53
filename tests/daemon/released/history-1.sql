-- A history as version 1 of its schema has it: what a daemon left that was killed in its third run.
BEGIN TRANSACTION;
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','1');
CREATE TABLE runs (
	id INTEGER NOT NULL,
	name VARCHAR(64) NOT NULL,
	title TEXT NOT NULL,
	started DOUBLE NOT NULL,
	ended DOUBLE,
	outcome VARCHAR(16) NOT NULL,
	summary TEXT NOT NULL,
	report TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX runs_by_name ON runs (name, id);
INSERT INTO "runs" VALUES(1,'nightly','mirror, export plant',1700000000.0,1700000060.5,'succeeded','3 images','{"steps": [{"what": "mirror", "images": 3}]}');
INSERT INTO "runs" VALUES(2,'inbox','import',1700000100.0,1700000101.0,'refused','signature','{}');
INSERT INTO "runs" VALUES(3,'nightly','mirror, export plant',1700000300.0,NULL,'running','','{}');
CREATE TABLE marks (
	name VARCHAR(64) NOT NULL,
	since DOUBLE NOT NULL,
	begun DOUBLE,
	succeeded DOUBLE,
	told_late DOUBLE,
	PRIMARY KEY (name)
);
INSERT INTO "marks" VALUES('nightly',1700000000.0,1700000300.0,1700000060.5,NULL);
INSERT INTO "marks" VALUES('inbox',1700000100.0,1700000100.0,NULL,1700000200.0);
CREATE TABLE arrivals (
	folder VARCHAR(64) NOT NULL,
	fingerprint VARCHAR(80) NOT NULL,
	path TEXT NOT NULL,
	outcome VARCHAR(16) NOT NULL,
	reason TEXT NOT NULL,
	seen DOUBLE NOT NULL,
	run INTEGER NOT NULL,
	PRIMARY KEY (folder, fingerprint)
);
INSERT INTO "arrivals" VALUES('inbox','9f2c-1','/srv/inbox/plant.tar','refused','no signer''s signature',1700000101.0,2);
COMMIT;
