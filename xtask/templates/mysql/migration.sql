-- The @name@ and their idempotency keys. Only @name@ uses these tables.
--
-- A migration may break off between two statements, and what it did to the
-- schema stays: each statement is one that may be run again.

CREATE TABLE IF NOT EXISTS @name@ (
    id         CHAR(36)       NOT NULL COMMENT 'UUIDv7 of created_at',
    name       VARCHAR(200)   NOT NULL,
    note       VARCHAR(2000)  NULL,
    created_at DATETIME(3)    NOT NULL COMMENT 'UTC',
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS @name@_keys (
    caller          VARBINARY(255) NOT NULL,
    route           VARBINARY(64)  NOT NULL,
    idempotency_key VARBINARY(255) NOT NULL,
    fingerprint     BINARY(32)     NOT NULL COMMENT 'SHA-256 of the body as canonical JSON',
    answer          MEDIUMBLOB     NOT NULL COMMENT 'JSON: status, headers and body',
    created_at      DATETIME(3)    NOT NULL,
    expires_at      DATETIME(3)    NOT NULL,
    PRIMARY KEY (caller, route, idempotency_key),
    KEY @name@_keys_by_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;
