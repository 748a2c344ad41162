-- The first layout. Times are milliseconds since 1970; `proof` is SHA-256 of a token; "sealed" is XChaCha20-Poly1305
-- under the station's key, bound to table, column and id. Never edit a layout that was shipped: add another.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    username   TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    password   BLOB NOT NULL,              -- sealed bcrypt hash of the authentication key
    otp        BLOB,                       -- sealed TOTP secret; NULL: off
    otp_step   INTEGER NOT NULL DEFAULT 0, -- the last 30-second step whose code was spent
    created_ms INTEGER NOT NULL
) STRICT;

-- One current vault per account; a reset by code keeps the one before for 30 days.
CREATE TABLE vault (
    id            INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    version       INTEGER NOT NULL,
    sealed        BLOB NOT NULL,           -- sealed; by the client too, with a key that never comes here
    password_wrap BLOB NOT NULL,           -- sealed; by the client too
    kept_until_ms INTEGER                  -- NULL: the current one
) STRICT;
CREATE UNIQUE INDEX vault_current ON vault (account) WHERE kept_until_ms IS NULL;

CREATE TABLE recovery (
    id    INTEGER PRIMARY KEY,
    vault INTEGER NOT NULL REFERENCES vault (id) ON DELETE CASCADE,
    proof BLOB NOT NULL,
    wrap  BLOB NOT NULL,                   -- sealed; by the client too
    UNIQUE (vault, proof)
) STRICT;

CREATE TABLE session (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    api_proof  BLOB NOT NULL UNIQUE,
    mqtt_proof BLOB NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    used_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX session_account ON session (account);

CREATE TABLE remembered (
    proof    BLOB PRIMARY KEY,
    account  INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    until_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE enrolment (
    id            INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    proof         BLOB NOT NULL UNIQUE,
    secret        BLOB NOT NULL,           -- sealed
    opens_session INTEGER NOT NULL,        -- 1: the first code also logs in
    failures      INTEGER NOT NULL DEFAULT 0,
    until_ms      INTEGER NOT NULL
) STRICT;

CREATE TABLE reset (
    proof    BLOB PRIMARY KEY,
    account  INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    recovery INTEGER NOT NULL REFERENCES recovery (id) ON DELETE CASCADE,
    until_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt (
    scope     INTEGER NOT NULL,
    who       BLOB NOT NULL,               -- keyed hash of a name, an address or both
    failures  INTEGER NOT NULL,
    locked_ms INTEGER NOT NULL,            -- until when; 0: open
    last_ms   INTEGER NOT NULL,
    PRIMARY KEY (scope, who)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    label      TEXT NOT NULL,
    proof      BLOB NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX device_account ON device (account);

CREATE TABLE anchor (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    log     TEXT NOT NULL,
    count   INTEGER NOT NULL,
    head    TEXT NOT NULL,
    PRIMARY KEY (account, log)
) STRICT, WITHOUT ROWID;
