-- The public half of what an account signs its messages with. Not secret: members of a signed topic ask whose it is.

ALTER TABLE account ADD COLUMN identity BLOB;            -- an Ed25519 public key, 32 bytes; NULL: none told yet
ALTER TABLE account ADD COLUMN identity_ms INTEGER;      -- since when
CREATE UNIQUE INDEX account_identity ON account (identity) WHERE identity IS NOT NULL;
