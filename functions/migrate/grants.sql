-- The privileges of each function's user of the database: those that its
-- statements need, one statement a line. The tests run the function with no others.
GRANT SELECT, INSERT, UPDATE ON orders TO orders;
GRANT SELECT, INSERT ON order_lines TO orders;
GRANT SELECT, INSERT, UPDATE ON product_snapshots TO orders;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO orders;
GRANT SELECT, INSERT, UPDATE ON order_sums TO orders;
GRANT SELECT, INSERT, UPDATE ON product_sums TO orders;
GRANT SELECT, UPDATE ON sums_lock TO orders;
