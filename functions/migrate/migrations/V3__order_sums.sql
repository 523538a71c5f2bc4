-- The sums of the orders. An order is added to them some time after each change, in
-- a batch with others. Until then it is pending, and a summary adds it itself.
--
-- No statement that writes an order mentions the new column, so the code before this
-- migration, which runs until the deployment ends and after a rollback, needs none.
SET @missing = (
    SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'summed'
);

SET @change = IF(@missing,
    'ALTER TABLE orders
         ADD COLUMN summed VARCHAR(16) NULL COMMENT ''the status that the sums count it with, or NULL'',
         ADD KEY orders_by_sums (summed, status)',
    'DO 0');

PREPARE change_orders FROM @change;

EXECUTE change_orders;

DEALLOCATE PREPARE change_orders;

-- The orders that were placed within a day, month or year.
CREATE TABLE IF NOT EXISTS order_sums (
    span     VARCHAR(5)  NOT NULL COMMENT 'day, month or year',
    start    DATE        NOT NULL COMMENT 'its first day, in UTC',
    status   VARCHAR(16) NOT NULL,
    currency CHAR(3)     NOT NULL,
    orders   BIGINT      NOT NULL,
    quantity DECIMAL(38) NOT NULL,
    revenue  DECIMAL(38) NOT NULL,
    PRIMARY KEY (span, start, status, currency)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- The lines of those of them that are not cancelled.
CREATE TABLE IF NOT EXISTS product_sums (
    span       VARCHAR(5)    NOT NULL COMMENT 'day, month or year',
    start      DATE          NOT NULL COMMENT 'its first day, in UTC',
    product_id VARBINARY(64) NOT NULL,
    currency   CHAR(3)       NOT NULL,
    orders     BIGINT        NOT NULL,
    quantity   DECIMAL(38)   NOT NULL,
    revenue    DECIMAL(38)   NOT NULL,
    PRIMARY KEY (span, start, product_id, currency)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- One row. Who adds orders to the sums locks it, so that nobody waits for their rows.
CREATE TABLE IF NOT EXISTS sums_lock (
    id TINYINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT IGNORE INTO sums_lock (id) VALUES (1);
