-- Subqueries: which become joins, and which stay.
-- rows t 100000
-- rows s 50000
CREATE TABLE t (a int PRIMARY KEY, b int, c text);
CREATE TABLE s (x int, y int NOT NULL, z text);
SELECT a FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.x = t.a);
SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.x = t.a AND s.y <> t.b);
SELECT a FROM t WHERE a IN (SELECT x FROM s);
SELECT a FROM t WHERE b NOT IN (SELECT x FROM s);
SELECT a, (SELECT max(y) FROM s WHERE s.x = t.a) FROM t;
SELECT a, (SELECT count(*) FROM s WHERE s.x = t.a) FROM t;
SELECT a, (SELECT y FROM s WHERE s.x = t.a ORDER BY z LIMIT 1) FROM t;
SELECT a FROM t WHERE b > (SELECT avg(y) FROM s);
SELECT a, EXISTS (SELECT 1 FROM s WHERE s.x = t.a) FROM t;
SELECT a, b IN (SELECT x FROM s) FROM t;
SELECT t.a, l.y FROM t, LATERAL (SELECT y FROM s WHERE s.x = t.a ORDER BY y LIMIT 2) l;
WITH w AS (SELECT x, y FROM s WHERE z = 'k') SELECT a.x, b.y FROM w a JOIN w b ON a.x = b.y;
SELECT t.a, s.y FROM t LEFT JOIN s ON t.a = s.x WHERE s.y > 3;
SELECT a, generate_series(1, b) FROM t WHERE a < 3;
SELECT * FROM t FULL JOIN s ON t.a = s.x;
SELECT a FROM t UNION SELECT x FROM s ORDER BY a LIMIT 5;
SELECT * FROM t NATURAL JOIN (SELECT x AS a, z FROM s) q;
SELECT b, sum(a) FROM t GROUP BY b HAVING sum(a) > (SELECT max(y) FROM s WHERE s.x = t.b);
