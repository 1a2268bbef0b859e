#!/usr/bin/env python3
"""Random INSERT (also ON CONFLICT), UPDATE and DELETE against two servers that must agree: unique, check and not-null constraints, foreign keys of every action.

usage: changes.py DAMASK_URL POSTGRES_URL [--seed N] [--seeds N] [--count N] [--strict]      (needs psql)

Each seed makes three tables in the schema `fuzz_changes` of both servers, a parent, its children and theirs, with actions by chance, and
runs `--count` statements, some in blocks with savepoints. After each the rows of all tables are compared, and what it printed. When one
statement violates several constraints, which is met first may differ: unless `--strict`, the kind of error must be the same then. The exit
status is 1 if anything differed; a seed ends where the tables do. One run at a time: runs share the schema.
"""
import re
import sys

import servers

PSQL = ["-X", "-A", "-t", "-F", "|", "-P", "null=NULL", "-v", "VERBOSITY=default"]
ROWS = (
    "select 1 as t, id::text, u::text, x::text, s from p union all select 2, id::text, p::text, n::text, q::text from c "
    "union all select 3, id::text, c::text, self::text, null from g order by 1,2,3,4,5"
)


class Generator(servers.Chooser):
    """Makes tables and changes of them from a seed."""

    def __init__(self, seed):
        super().__init__(seed)
        self.key_type = self.pick("int", "bigint", "text", "int")

    def number(self, nulls=0.0):
        return "null" if self.chance(nulls) else str(self.random.randint(0, 9))

    def key(self, nulls=0.0):
        if self.chance(nulls):
            return "null"
        return "'%s'" % self.random.choice("abcdefghij") if self.key_type == "text" else self.number()

    def next_key(self, column, by):
        return "chr(ascii(%s) + %d)" % (column, by) if self.key_type == "text" else "%s + %d" % (column, by)

    def actions(self):
        delete = self.pick("", "", "on delete cascade", "on delete set null", "on delete set default", "on delete restrict")
        return "%s %s" % (delete, self.pick("", "on update cascade", "on update set null", "on update restrict", "on update no action"))

    def setup(self):
        out = [
            "drop schema if exists fuzz_changes cascade;",
            "create schema fuzz_changes;",
            "set search_path = fuzz_changes;",
            "create table p (id %s primary key, u int unique, x int not null default 7, s text check (length(s) < 6), check (x > -3));"
            % self.key_type,
            "create table c (id int primary key, p %s default %s references p %s, n int, q int references p (u) %s);"
            % (self.key_type, self.key(), self.actions(), self.actions()),
            "create table g (id int, c int references c %s, self int);" % self.actions(),
            "alter table g add primary key (id);",
            "alter table g add foreign key (self) references g %s;" % self.actions(),
        ]
        if self.chance(0.5):
            out.append("create index on c (p);")
        if self.chance(0.5):
            out.append("create unique index on c (n, q);")
        return out

    def parent(self):
        if self.chance(0.3):
            x = self.pick(self.number(), self.number(), "default", "null", "-5")
            return "(%s, %s, %s, %s)" % (self.key(0.1), self.number(0.15), x, self.pick("null", "'ab'", "'toolong'"))
        return "(%s, %s, %s, 'ab')" % (self.key(), self.number(0.15), self.number())

    def rows(self, make, most):
        return ", ".join(make() for _ in range(self.random.randint(1, most)))

    def upsert(self):
        n, returning = self.number, self.pick("", " returning *", " returning *, xmax = 0")
        if self.chance(0.6):
            table, rows = "p", self.rows(self.parent, 3)
            target = self.pick("(id)", "(id)", "(u)", "on constraint p_pkey", "(x)")
            sets = self.pick(
                "x = t.x + 1", "x = excluded.x", "s = excluded.s || t.s", "u = excluded.u", "id = excluded.id", "x = default, s = null",
                "(x, s) = (select max(n), 'q' from c where c.p = t.id)", "x = (select count(*) from p as o where o.u <= excluded.u)", "x = -9",
            )
            where = self.pick("", "", " where t.x < " + n(), " where t.x <> excluded.x", " where exists (select from c where c.p = t.id)")
        else:
            child = lambda: "(%s, %s, %s, %s)" % (n(), self.pick(self.key(0.1), self.key(), "default"), n(0.15), self.pick("null", "null", n()))
            table, rows, target = "c", self.rows(child, 3), self.pick("(id)", "(id)", "on constraint c_pkey", "(q, n)")
            sets = self.pick("n = t.n + excluded.n", "p = excluded.p", "q = excluded.q, n = excluded.n", "id = t.id + 10", "p = default")
            where = self.pick("", " where t.n is distinct from excluded.n", " where t.id in (select c from g)")
        if self.chance(0.3):
            action = "%s do nothing" % self.pick("", target)
        else:
            action = "%s do update set %s%s" % (target, sets, where)
        return "insert into %s as t values %s on conflict %s%s" % (table, rows, action, returning)

    def statement(self):
        if self.chance(0.25):
            return self.upsert()
        kind, n, returning = self.random.random(), self.number, self.pick("", " returning *")
        if kind < 0.16:
            return "insert into p values %s%s" % (self.rows(self.parent, 3), self.pick("", " returning *", " returning id, x + 1"))
        if kind < 0.30:
            child = lambda: "(%s, %s, %s, %s)" % (n(), self.pick(self.key(0.1), self.key(), "default"), n(0.15), self.pick("null", "null", n()))
            return "insert into c values %s%s" % (self.rows(child, 2), returning)
        if kind < 0.40:
            return "insert into g values " + self.rows(lambda: "(%s, %s, %s)" % (n(), self.pick("null", n()), self.pick("null", n())), 3)
        if kind < 0.46:
            return "insert into p select %s, u + 10, x, s from p where x < %s" % (self.next_key("id", 3), n())
        if kind < 0.56:
            # Keys move in one row at a time: which of several rows meets the other's old key is a matter of their order.
            if self.chance(0.5):
                sets, where = self.pick("u = u + 1", "u = u - 1", "id = " + self.key(), "id = " + self.next_key("id", 1)), "id = " + self.key()
            else:
                sets = self.pick("u = null", "x = x - 1", "x = x * 2, s = s || 'z'", "u = u + 1000, x = x + 1")
                where = self.pick("true", "id = " + self.key(), "u > " + n(), "x in (1,2,7)")
            return "update p set %s where %s%s" % (sets, where, returning)
        if kind < 0.64:
            sets = self.pick("p = " + self.key(0.1), "n = n + 1", "q = " + n(0.15), "id = id + 10", "n = p.x from p where c.p = p.id")
            word = "and" if " where " in sets else "where"
            return "update c set %s %s %s" % (sets, word, self.pick("c.id = " + n(), "c.n > " + n(), "true"))
        if kind < 0.70:
            return "update c set n = p.x + c.id from p where c.p = p.id and p.u < %s returning c.id, c.n, p.id" % n()
        if kind < 0.76:
            return "update g set self = %s, c = %s where id %s %s" % (n(0.15), n(0.15), self.pick("=", ">", "<"), n())
        if kind < 0.86:
            return "delete from p where %s%s" % (self.pick("id = " + self.key(), "u = " + n(), "x < " + n()), returning)
        if kind < 0.92:
            return "delete from c where %s%s" % (self.pick("id = " + n(), "n > " + n(), "p = " + self.key()), self.pick("", " returning id"))
        if kind < 0.96:
            return "delete from g where " + self.pick("id = " + n(), "self is null", "c in (select id from c where n > 4)")
        return "delete from c using p where c.p = p.id and p.x > %s returning c.id" % n()

    def statements(self, count):
        is_open = False
        for _ in range(count):
            if not is_open and self.chance(0.06):
                is_open = True
                yield "begin"
            elif is_open and self.chance(0.25):
                is_open = False
                yield self.pick("commit", "rollback")
            elif is_open and self.chance(0.15):
                yield self.pick("savepoint a", "rollback to a")
            yield self.statement()
        if is_open:
            yield "commit"


def run(url, setup, statements):
    """What each statement prints, sorted, and the rows after it."""
    answers = servers.answers(url, PSQL, setup, ["%s;\n\\echo %%%%%%\n%s;" % (statement, ROWS) for statement in statements])
    is_place = lambda line: line.startswith(("CONTEXT", "LINE ", "    ", "SQL statement")) or "HINT" in line
    out = {}
    for at, lines in answers.items():
        lines = [line for line in lines if not is_place(line)]
        end = lines.index("%%%") if "%%%" in lines else len(lines)
        out[at] = (sorted(lines[:end]), lines[end:])
    return out


def kinds(lines):
    """Errors without what they name."""
    return [re.sub(r'"[^"]*"|\(.*\)', "", line).strip() for line in lines if not line.startswith("DETAIL")]


def main():
    parser = servers.arguments(__doc__, 80)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    different = errors = total = 0
    for seed in range(options.seed, options.seed + options.seeds):
        generator = Generator(seed)
        setup = generator.setup()
        statements = list(generator.statements(options.count))
        reference, answers = run(options.postgres, setup, statements), run(options.damask, setup, statements)
        for at, statement in enumerate(statements):
            expected, found = reference.get(at), answers.get(at)
            total += 1
            errors += expected is not None and any("ERROR" in line for line in expected[0])
            has_same_rows = expected and found and expected[1] == found[1]
            if expected == found or not options.strict and has_same_rows and kinds(expected[0]) == kinds(found[0]):
                continue
            different += 1
            print("--- seed %d, statement %d\n%s;" % (seed, at, statement))
            for name, lines in (("PostgreSQL", expected), ("Damask", found)):
                print("%s: %s" % (name, lines and lines[0][:6]))
            if not has_same_rows:
                print("the rows differ\n" + "\n".join(setup))
                break
    print("%d statements, %d different, %d errors on both" % (total, different, errors))
    sys.exit(different > 0)


main()
