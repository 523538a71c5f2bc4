-- The owner of an order: the subject of the token that it was placed with. The
-- orders that were placed before have no owner.
--
-- MySQL has no ADD COLUMN IF NOT EXISTS, so the statement is chosen: a migration
-- that broke off may be run again.
SET @missing = (
    SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'orders' AND column_name = 'owner'
);

SET @change = IF(@missing,
    'ALTER TABLE orders
         ADD COLUMN owner VARBINARY(255) NOT NULL DEFAULT '''' COMMENT ''the subject of a token, or nobody'',
         ADD KEY orders_by_owner (owner, created_at, id)',
    'DO 0');

PREPARE change_orders FROM @change;

EXECUTE change_orders;

DEALLOCATE PREPARE change_orders;
