-- The first layout of `users/sessions.db`: what the broker has kept. Times are milliseconds since 1970; "sealed" is
-- XChaCha20-Poly1305 under the station's key, bound to column and id. Never edit a layout that was shipped: add another.

CREATE TABLE session (
    id        INTEGER PRIMARY KEY,
    account   TEXT NOT NULL,
    client_id TEXT NOT NULL,
    expiry_s  INTEGER NOT NULL,
    left_ms   INTEGER                  -- NULL: connected
) STRICT;

CREATE TABLE subscription (
    session             INTEGER NOT NULL,
    filter              TEXT NOT NULL,
    qos                 INTEGER NOT NULL,
    no_local            INTEGER NOT NULL,
    retain_as_published INTEGER NOT NULL,
    identifier          INTEGER,
    PRIMARY KEY (session, filter)
) STRICT, WITHOUT ROWID;

-- Each message once, for as long as a queue or a topic refers to it.
CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    topic      TEXT NOT NULL,
    qos        INTEGER NOT NULL,
    retain     INTEGER NOT NULL,
    expires_ms INTEGER,
    body       BLOB NOT NULL           -- sealed: length of the properties (4 bytes), properties, payload
) STRICT;

CREATE TABLE queued (
    session     INTEGER NOT NULL,
    number      INTEGER NOT NULL,      -- its place in the queue
    message     INTEGER NOT NULL,
    retain      INTEGER NOT NULL,
    replay      INTEGER NOT NULL,
    identifiers TEXT,                  -- JSON: subscription identifiers
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX queued_message ON queued (message);

CREATE TABLE retained (
    topic   TEXT PRIMARY KEY,
    message INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX retained_message ON retained (message);
