-- Single tables: paths, orders, limits, DML.
-- rows t 100000
-- rows u 100
CREATE TABLE t (a int PRIMARY KEY, b int, c text NOT NULL DEFAULT 'x', d numeric(10,2) CHECK (d > 0));
CREATE TABLE u (a int NOT NULL, b text, e date);
CREATE INDEX t_b_c ON t (b, c);
CREATE VIEW v AS SELECT a, upper(c) AS big FROM t WHERE b = 3;
SELECT * FROM t WHERE a = 1;
SELECT b FROM t WHERE a IN (1, 2, 3);
SELECT a, c FROM t WHERE b = 5 ORDER BY c LIMIT 10;
SELECT b, c FROM t WHERE b = 5 AND c > 'k';
SELECT a FROM t ORDER BY a DESC LIMIT 3;
SELECT count(*), sum(d) FROM t WHERE d BETWEEN 1 AND 2;
SELECT b, count(*) FROM t GROUP BY b HAVING count(*) > 1 ORDER BY 2 DESC;
SELECT DISTINCT c FROM t ORDER BY c;
SELECT 1 + 1, 'a' || 'b', 1/0 IS NULL;
VALUES (1, 'a'), (2, NULL);
INSERT INTO t (a, c) VALUES (1, 'y');
INSERT INTO t SELECT a, 1 FROM u RETURNING a, c;
UPDATE t SET b = b + 1 WHERE a = 5 RETURNING *;
UPDATE t SET (b, c) = (SELECT 1, u.b FROM u WHERE u.a = t.a) WHERE b = 1;
DELETE FROM t USING u WHERE t.a = u.a AND u.b = 'x';
SELECT * FROM v WHERE a = 7;
SELECT a FROM t WHERE a = $1 AND c = $2;
SELECT t.a FROM t FOR UPDATE;
