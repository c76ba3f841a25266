"""The tables of the consumer's SQLite file, version by version."""

from __future__ import annotations

STEPS = (
    """
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    rev INTEGER NOT NULL,
    retracted INTEGER NOT NULL,
    time TEXT NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    seen TEXT NOT NULL,
    named TEXT NOT NULL,
    gone TEXT NOT NULL,
    duplicates INTEGER NOT NULL,
    PRIMARY KEY (site, device)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS facts AS
    SELECT site, device, kind, key, max(rev) AS rev, time, body FROM events
    GROUP BY site, device, key HAVING NOT retracted;
""",
    """
DROP VIEW facts;
ALTER TABLE events RENAME TO unnamed_events;
CREATE TABLE events (
    id TEXT NOT NULL,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    rev INTEGER NOT NULL,
    retracted INTEGER NOT NULL,
    time TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (site, device, id)
) WITHOUT ROWID;
INSERT INTO events
    SELECT id, site, device, '', seq, kind, key, rev, retracted, time, body FROM unnamed_events;
DROP TABLE unnamed_events;
ALTER TABLE accounts RENAME TO unnamed_accounts;
CREATE TABLE accounts (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    stream TEXT NOT NULL,
    seen TEXT NOT NULL,
    named TEXT NOT NULL,
    gone TEXT NOT NULL,
    aside TEXT NOT NULL,
    orphaned TEXT NOT NULL,
    duplicates INTEGER NOT NULL,
    clashes INTEGER NOT NULL,
    incarnations TEXT NOT NULL,
    PRIMARY KEY (site, device, stream)
) WITHOUT ROWID;
INSERT INTO accounts
    SELECT site, device, '', seen, named, gone, '', '', duplicates, 0, '' FROM unnamed_accounts;
DROP TABLE unnamed_accounts;
CREATE TABLE aside (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    why TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE VIEW facts AS
    SELECT site, device, kind, key, max(rev) AS rev, time, body FROM events
    GROUP BY site, device, key HAVING NOT retracted;
""",
    "ALTER TABLE accounts ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0;",
    """
CREATE TABLE arrivals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    id TEXT NOT NULL,
    received_s REAL
);
INSERT INTO arrivals (site, device, id) SELECT site, device, id FROM events ORDER BY time;
""",
)
"""From version to version; a change of the tables is a further step, never an edit of an old one."""
