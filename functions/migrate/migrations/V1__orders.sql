-- The orders' database. It runs on MySQL 8 and MariaDB 10.11 alike.
--
-- A migration may break off between two statements, and what it did to the
-- schema stays: each statement is one that may be run again.
--
-- Times are UTC: a DATETIME has no zone, so no session's can shift them. Money
-- is in minor units. What is compared exactly is VARBINARY: every text
-- collation that both servers have ignores trailing blanks, the binary one too.

CREATE TABLE IF NOT EXISTS orders (
    id         BINARY(16)     NOT NULL COMMENT 'UUIDv7 of created_at',
    customer   VARBINARY(800) NOT NULL COMMENT 'UTF-8, 1 to 200 characters',
    status     VARCHAR(16)    NOT NULL,
    currency   CHAR(3)        NOT NULL,
    quantity   BIGINT         NOT NULL COMMENT 'the sum of its lines',
    total      BIGINT         NOT NULL COMMENT 'the sum of its lines',
    pricing    VARCHAR(16)    NOT NULL,
    version    BIGINT         NOT NULL,
    created_at DATETIME(3)    NOT NULL,
    updated_at DATETIME(3)    NOT NULL,
    change_id  BINARY(16)     NULL COMMENT 'of its last change, so that one made twice knows itself',
    PRIMARY KEY (id),
    -- The list, newest first, without a filter and with each.
    KEY orders_by_time (created_at, id),
    KEY orders_by_status (status, created_at, id),
    KEY orders_by_customer (customer, created_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- What was ordered keeps its name and price, in the currency of its order.
CREATE TABLE IF NOT EXISTS order_lines (
    order_id   BINARY(16)    NOT NULL,
    position   SMALLINT      NOT NULL COMMENT 'from 0',
    product_id VARBINARY(64) NOT NULL,
    name       VARCHAR(200)  NOT NULL,
    quantity   INT           NOT NULL,
    unit_price BIGINT        NOT NULL,
    PRIMARY KEY (order_id, position),
    CONSTRAINT order_lines_of_order FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- The last that the orders saw of each product, for when the catalogue is away.
CREATE TABLE IF NOT EXISTS product_snapshots (
    product_id VARBINARY(64) NOT NULL,
    name       VARCHAR(200)  NOT NULL,
    unit_price BIGINT        NULL COMMENT 'NULL: it was seen to be gone',
    currency   CHAR(3)       NOT NULL,
    seen_at    DATETIME(3)   NOT NULL,
    PRIMARY KEY (product_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- Each Idempotency-Key with the answer that is replayed. It is written in the
-- transaction of what it protects, so that there are both or neither. After
-- expires_at it is as good as not there, whenever it is deleted.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    caller          VARBINARY(255) NOT NULL,
    route           VARBINARY(64)  NOT NULL,
    idempotency_key VARBINARY(255) NOT NULL,
    fingerprint     BINARY(32)     NOT NULL COMMENT 'SHA-256 of the body as canonical JSON',
    answer          MEDIUMBLOB     NOT NULL COMMENT 'JSON: status, headers and body',
    created_at      DATETIME(3)    NOT NULL,
    expires_at      DATETIME(3)    NOT NULL,
    PRIMARY KEY (caller, route, idempotency_key),
    KEY idempotency_keys_by_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;
