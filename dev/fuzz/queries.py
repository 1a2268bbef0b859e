#!/usr/bin/env python3
"""Random queries against two servers that must agree: joins, subqueries, aggregates, set operations over three small tables.

usage: queries.py DAMASK_URL POSTGRES_URL [--seed N] [--seeds N] [--count N] [--jit on|off|force|verify]     (needs psql)

Each seed makes the tables anew in the schema `fuzz_queries` of both servers, with nulls, duplicates, NaN and long strings, perhaps with
indexes, and runs `--count` queries in one psql session. Rows are compared as sorted text; an error by its SQLSTATE. What answers 0A000 is
counted and left out. The exit status is 1 if anything differed. One run at a time: runs share the schema.

Known noise: a query whose evaluation order decides whether it raises may raise on one side alone.
"""
import re
import sys

import servers

COLUMNS = [("a", "int"), ("b", "int"), ("s", "text"), ("n", "numeric"), ("f", "float8")]
TABLES = "tuv"
TYPES = ["int", "int", "text", "numeric", "float8"]
VALUES = {
    "text": ["''", "'x'", "'y'", "'xy'", "'longer than twelve bytes'", "'z'"],
    "numeric": ["1", "1.0", "2.50", "-3.25", "0", "100000000000000000000.5"],
    "float8": ["0", "1.5", "-2", "'NaN'", "'-0'", "1e10"],
}
# Marks an output column while a query is made.
OUTPUT = "\0"
# psql prints a row by itself and an error as its SQLSTATE.
PSQL = ["-X", "-q", "-A", "-t", "-F", "|", "-P", "null=NULL", "-v", "VERBOSITY=sqlstate"]


class Generator(servers.Chooser):
    """Makes tables and queries from a seed. A scope is a list of aliases; every table has the same columns."""

    def __init__(self, seed):
        super().__init__(seed)
        self.aliases = 0

    def value(self, ty):
        if self.chance(0.2):
            return "null"
        return str(self.random.randint(-2, 4)) if ty == "int" else self.random.choice(VALUES[ty])

    def setup(self):
        out = ["drop schema if exists fuzz_queries cascade;", "create schema fuzz_queries;", "set search_path = fuzz_queries;"]
        for table in TABLES:
            out.append("create table %s (%s);" % (table, ", ".join("%s %s" % column for column in COLUMNS)))
            rows = ["(%s)" % ", ".join(self.value(ty) for _, ty in COLUMNS) for _ in range(self.pick(0, 3, 12, 12, 25))]
            if rows:
                out.append("insert into %s values %s;" % (table, ", ".join(rows)))
        if self.chance(0.5):
            out.append("create index on u (a, b);")
        if self.chance(0.3):
            out.append("create index on t (s);")
        return out + ["analyze;"]

    def alias(self):
        self.aliases += 1
        return "q%d" % self.aliases

    def column(self, scope, ty):
        return "%s.%s" % (self.random.choice(scope), self.random.choice([name for name, own in COLUMNS if own == ty]))

    def scalar(self, scope, ty, depth):
        if depth <= 0 or self.chance(0.4):
            return self.column(scope, ty) if self.chance(0.75) else "%s::%s" % (self.value(ty), ty)
        sub = lambda: self.scalar(scope, ty, depth - 1)
        kind = self.random.random()
        if kind < 0.1:
            return "coalesce(%s, %s)" % (sub(), sub())
        if kind < 0.2:
            return "case when %s then %s else %s end" % (self.condition(scope, depth - 1), sub(), sub())
        if kind < 0.3:
            return "%s(%s, %s)" % (self.pick("nullif", "greatest"), sub(), sub())
        if kind < 0.42 and depth > 1:
            alias, call = self.alias(), self.pick("max", "min", "count") if ty == "int" else self.pick("max", "min")
            where = self.condition(scope + [alias], depth - 2)
            cast = "::int" if call == "count" else ""
            return "(select %s(%s)%s from %s %s where %s)" % (call, self.scalar([alias], ty, 0), cast, self.random.choice(TABLES), alias, where)
        return "(%s %s %s)" % (sub(), self.pick(*{"text": ["||"], "float8": ["+", "-"]}.get(ty, ["+", "-", "*"])), sub())

    def condition(self, scope, depth):
        ty, kind = self.random.choice(TYPES), self.random.random()
        scalar = lambda: self.scalar(scope, ty, depth - 1)
        if depth <= 0 or kind < 0.4:
            return "%s %s %s" % (scalar(), self.pick("=", "=", "<", ">=", "<>"), scalar())
        if kind < 0.6:
            return "(%s %s %s)" % (self.condition(scope, depth - 1), self.pick("and", "or"), self.condition(scope, depth - 1))
        if kind < 0.66:
            return "not (%s)" % self.condition(scope, depth - 1)
        if kind < 0.7:
            return "%s is %snull" % (scalar(), self.pick("", "not "))
        if kind < 0.74:
            return "%s is %sdistinct from %s" % (scalar(), self.pick("", "not "), scalar())
        word = self.pick("in", "not in")
        if kind < 0.78:
            return "%s %s (%s)" % (self.scalar(scope, "int", 0), word, ",".join(self.value("int") for _ in range(self.random.randint(1, 4))))
        alias, table = self.alias(), self.random.choice(TABLES)
        where = "" if self.chance(0.4) else " where " + self.condition(scope + [alias], depth - 1)
        if kind < 0.88:
            return "%sexists (select 1 from %s %s%s)" % (self.pick("", "not "), table, alias, where)
        if kind < 0.95:
            return "%s %s (select %s from %s %s%s)" % (self.scalar(scope, ty, 0), word, self.column([alias], ty), table, alias, where)
        pair = "(%s, %s)" % (self.scalar(scope, "int", 0), self.scalar(scope, "text", 0))
        return "%s %s (select %s.a, %s.s from %s %s%s)" % (pair, word, alias, alias, table, alias, where)

    def joins(self):
        """FROM, and the aliases in it."""
        scope, text = ["x0"], "%s x0" % self.random.choice(TABLES)
        for number in range(1, self.pick(1, 2, 2, 3)):
            table, alias = self.random.choice(TABLES), "x%d" % number
            if self.chance(0.15):
                inner = alias + "i"
                where = self.condition(scope + [inner], 1)
                text += " %s lateral (select * from %s %s where %s) %s on true" % (self.pick("join", "left join"), table, inner, where, alias)
                scope = scope + [alias]
                continue
            kind = self.pick("join", "left join", "right join", "full join", "cross join")
            if kind == "cross join":
                on = ""
            elif kind == "full join":
                on = " on x0.a = %s.a%s" % (alias, self.pick("", " and x0.s = %s.s" % alias))
            elif self.chance(0.4):
                on = " on " + self.condition(scope + [alias], 1)
            else:
                more = "" if self.chance(0.6) else " and " + self.condition(scope + [alias], 1)
                on = " on x%d.a = %s.%s%s" % (self.random.randint(0, number - 1), alias, self.pick("a", "b"), more)
            text += " %s %s %s%s" % (kind, table, alias, on)
            scope = scope + [alias]
        return text, scope

    def aggregates(self, scope):
        for _ in range(self.random.randint(1, 3)):
            ty = self.pick("int", "numeric", "text")
            name = self.pick("count", "min", "max") if ty == "text" else self.pick("count", "min", "max", "sum", "avg")
            call = "count(*)" if self.chance(0.15) else "%s(%s%s)" % (name, self.pick("", "", "distinct "), self.scalar(scope, ty, 1))
            yield call + (" filter (where %s)" % self.condition(scope, 1) if self.chance(0.2) else "")
        if self.chance(0.15):
            yield "string_agg(x0.s, ',' order by x0.s, x0.a)"

    def select(self, depth, types):
        text, scope = self.joins()
        where = "" if self.chance(0.4) else " where " + self.condition(scope, depth)
        columns = ", ".join(OUTPUT + self.scalar(scope, ty, depth) for ty in types)
        return "select %s%s from %s%s" % (self.pick("", "", "distinct "), columns, text, where)

    def query(self):
        kind, types = self.random.random(), [self.random.choice(TYPES) for _ in range(self.random.randint(1, 3))]
        if kind < 0.5:
            return self.select(2, types)
        if kind < 0.85:
            text, scope = self.joins()
            where = "" if self.chance(0.3) else " where " + self.condition(scope, 2)
            keys = [self.column(scope, self.random.choice(TYPES)) for _ in range(self.random.randint(0, 2))]
            query = "select %s from %s%s" % (", ".join(OUTPUT + expr for expr in keys + list(self.aggregates(scope))), text, where)
            return query + (" group by " + ", ".join(keys) if keys else "") + self.pick("", "", "", " having count(*) > 1")
        word = self.pick("union", "union all", "intersect", "except", "intersect all", "except all")
        return "(%s) %s (%s)" % (self.select(0, types), word, self.select(0, types))

    def queries(self, count):
        for _ in range(count):
            query = self.query()
            if query.startswith("select") and self.chance(0.3):
                # By every column, so that a limit cuts between rows that differ.
                width = query.count(OUTPUT)
                keys = ", ".join("%d%s" % (at + 1, self.pick("", " desc", " nulls first")) for at in range(width))
                limit = self.pick("", " limit 7", " limit 5 offset 3", " limit 2000")
                query = "select * from (%s) z order by %s%s" % (query, keys, limit)
            yield query.replace(OUTPUT, "")


def number(match):
    """1.50 and 1.5 are one number, and so are 0 and -0: scales of averages and signs of zeros are not compared."""
    text = match.group(0)
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def run(url, setup, queries, first):
    """The sorted lines that each query prints."""
    answers = servers.answers(url, PSQL, first + setup, [query + ";" for query in queries])
    return {at: sorted(re.sub(r"-?\d+(\.\d+)?", number, line) for line in lines) for at, lines in answers.items()}


def main():
    parser = servers.arguments(__doc__, 60)
    parser.add_argument("--jit")
    options = parser.parse_args()
    different = unsupported = errors = total = 0
    for seed in range(options.seed, options.seed + options.seeds):
        generator = Generator(seed)
        setup = generator.setup()
        queries = list(generator.queries(options.count))
        reference = run(options.postgres, setup, queries, [])
        answers = run(options.damask, setup, queries, ["set jit = %s;" % options.jit] if options.jit else [])
        for at, query in enumerate(queries):
            expected, found = reference.get(at), answers.get(at)
            total += 1
            errors += any("ERROR" in line for line in expected or [])
            if any("0A000" in line for line in found or []):
                unsupported += 1
            elif expected != found:
                different += 1
                print("--- seed %d\n%s;" % (seed, query))
                for name, lines in (("PostgreSQL", expected), ("Damask", found)):
                    print("%s: %s rows %s" % (name, "no" if lines is None else len(lines), (lines or [])[:6]))
    print("%d queries, %d different, %d not supported, %d errors on both" % (total, different, unsupported, errors))
    sys.exit(different > 0)


main()
