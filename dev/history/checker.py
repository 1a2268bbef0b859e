"""Says which anomalies a history of list appends shows (after Adya, and Kingsbury and Alvaro's Elle, VLDB 2020).

Every append gives a list a value that no other append has, so a list that was read tells the order in which its writers came, and
which of them the reader saw. That gives three kinds of edges between transactions:

  ww  x appended to a list, y appended the next value
  wr  y read a list whose last value is x's
  rw  x read a list, y appended the value that comes next (x did not see it)

and, for strict levels, rt: x was acknowledged before y began. A cycle means that no order of the transactions explains the history;
its edges say which anomaly it is:

  G0 only ww;  G1c only ww and wr;  G-single one rw;  G-nonadjacent several rw, no two of them in a row;  G2 others.

Besides there are anomalies without cycles: G1a (a value of a transaction that failed), G1b (a value that its transaction went on
from), lost (an acknowledged value is not there at the end), vanished (one that somebody read is not), forked (two reads of a list of
which neither begins with the other), internal (a transaction does not see its own appends), changed (a transaction that reads a list
twice finds others' values new).
"""
import collections

ALWAYS = {"G0", "G1a", "G1b", "G1c", "lost", "vanished", "forked", "internal", "duplicate", "unknown-value"}
SNAPSHOT = ALWAYS | {"G-single", "G-nonadjacent", "changed"}
ILLEGAL = {
    "read committed": ALWAYS,
    "repeatable read": SNAPSHOT,
    "serializable": SNAPSHOT | {"G2", "real-time"},
}
WITNESSES_MAX = 5
EDGES_TRIED_MAX = 3000


class Txn:
    """One transaction: `status` is ok, failed or unknown (the connection broke while it committed); `ops` are ("append", key, value)
    and ("read", key, list) in order; it began after `begin` and was answered before `end`."""

    def __init__(self, number, ops, status="ok", begin=0.0, end=0.0):
        self.number, self.ops, self.status, self.begin, self.end = number, ops, status, begin, end


class History:
    """Transactions by number, and the lists at the end."""

    def __init__(self, txns, final):
        self.txns, self.final = {txn.number: txn for txn in txns}, final
        self.found = collections.defaultdict(list)
        # (key, value) -> the transaction that appended it, and whether it is its last to that list.
        self.writer, self.is_last = {}, {}
        for txn in txns:
            last = {}
            for op in txn.ops:
                if op[0] == "append":
                    self.writer[op[1], op[2]] = txn.number
                    self.is_last[op[1], op[2]] = False
                    last[op[1]] = op[2]
            for place in last.items():
                self.is_last[place] = True
        # What each committed transaction read of others: key, list.
        self.reads = collections.defaultdict(list)
        self.order = {}
        self.edges = collections.defaultdict(lambda: collections.defaultdict(set))

    def note(self, anomaly, witness):
        if len(self.found[anomaly]) < WITNESSES_MAX:
            self.found[anomaly].append(witness)

    def check(self):
        """Anomalies with a few witnesses each."""
        for txn in self.txns.values():
            if txn.status == "ok":
                self.check_reads(txn)
        self.find_order()
        self.check_final()
        self.connect()
        self.find_cycles()
        return dict(self.found)

    def check_reads(self, txn):
        own, seen = collections.defaultdict(list), {}
        for kind, key, value in txn.ops:
            if kind == "append":
                own[key].append(value)
                continue
            if len(set(value)) != len(value):
                self.note("duplicate", (txn.number, key, value))
            split = len(value) - len(own[key])
            if own[key] and value[max(split, 0):] != own[key]:
                self.note("internal", (txn.number, key, own[key], value[-8:]))
            base = value[: max(split, 0)]
            for item in base:
                writer = self.writer.get((key, item))
                if writer is None:
                    self.note("unknown-value", (txn.number, key, item))
                elif self.txns[writer].status == "failed":
                    self.note("G1a", (txn.number, key, item, writer))
            if base and not self.is_last.get((key, base[-1]), True):
                self.note("G1b", (txn.number, key, base[-1]))
            if seen.setdefault(key, base) != base:
                self.note("changed", (txn.number, key))
            self.reads[key].append((txn.number, base))

    def find_order(self):
        for key in set(self.reads) | set(self.final):
            lists = [base for _, base in self.reads[key]] + ([self.final[key]] if key in self.final else [])
            longest = max(lists, key=len)
            for number, base in self.reads[key]:
                if longest[: len(base)] != base:
                    self.note("forked", (number, key))
            self.order[key] = longest

    def check_final(self):
        ends = {key: set(values) for key, values in self.final.items()}
        for key, values in self.final.items():
            if len(ends[key]) != len(values):
                self.note("duplicate", ("final", key))
        for key, values in self.order.items():
            for value in values:
                if value not in ends.get(key, ()):
                    self.note("vanished", (key, value))
        for (key, value), writer in self.writer.items():
            status, is_there = self.txns[writer].status, value in ends.get(key, ())
            if status == "ok" and not is_there:
                self.note("lost", (writer, key, value))
            if status == "failed" and is_there:
                self.note("G1a", ("final", key, value, writer))

    def edge(self, source, target, kind):
        is_known = source is not None and target is not None and source != target
        if is_known and "failed" not in (self.txns[source].status, self.txns[target].status):
            self.edges[source][target].add(kind)

    def connect(self):
        for key, values in self.order.items():
            writers = [self.writer.get((key, value)) for value in values]
            place = {value: i for i, value in enumerate(values)}
            for source, target in zip(writers, writers[1:]):
                self.edge(source, target, "ww")
            for number, base in self.reads[key]:
                if base:
                    self.edge(self.writer.get((key, base[-1])), number, "wr")
                after = place.get(base[-1], -1) + 1 if base else 0
                while after < len(values) and writers[after] == number:
                    after += 1
                if after < len(values):
                    self.edge(number, writers[after], "rw")

    def real_time(self):
        """Edges from each transaction to those that began after it was acknowledged, without those that follow from others."""
        later = collections.defaultdict(set)
        ended = sorted((txn for txn in self.txns.values() if txn.status == "ok"), key=lambda txn: txn.end)
        began = sorted((txn for txn in self.txns.values() if txn.status != "failed"), key=lambda txn: txn.begin)
        frontier, at = [], 0
        for txn in began:
            while at < len(ended) and ended[at].end < txn.begin:
                done = ended[at]
                frontier = [other for other in frontier if other.end >= done.begin] + [done]
                at += 1
            for other in frontier:
                if other is not txn:
                    later[other.number].add(txn.number)
        return later

    def part(self, kinds):
        return {x: {y for y, have in to.items() if have & kinds} for x, to in self.edges.items()}

    def find_cycles(self):
        for component in components(self.part({"ww"})):
            self.note("G0", component[:8])
        dependencies = self.part({"ww", "wr"})
        for component in components(dependencies):
            self.note("G1c", component[:8])
        whole = self.part({"ww", "wr", "rw"})
        found = components(whole)
        for component in found:
            named = self.name_cycle(component, dependencies)
            if named:
                self.note(*named)
        for source, targets in self.real_time().items():
            whole.setdefault(source, set()).update(targets)
        strict = components(whole)
        if sum(map(len, strict)) > sum(map(len, found)):
            inside = {number for component in found for number in component}
            for component in strict:
                if not inside.issuperset(component):
                    self.note("real-time", component[:8])

    def name_cycle(self, component, dependencies):
        """The worst that a component of the whole graph has in it; nothing if it is one without rw, which has its name already."""
        inside = set(component)
        anti = [(x, y) for x in component for y, kinds in self.edges[x].items() if "rw" in kinds and y in inside]
        if not anti:
            return None
        for x, y in anti[:EDGES_TRIED_MAX]:
            path = shortest({z: dependencies.get(z, set()) & inside for z in inside}, y, x)
            if path:
                return "G-single", [x] + path
        for x, y in anti[:EDGES_TRIED_MAX]:
            if self.reaches_apart(y, x, inside):
                return "G-nonadjacent", [x, y]
        return "G2", component[:8]

    def reaches_apart(self, source, target, inside):
        """Whether a way leads on from an rw edge into `source` to `target` without two rw edges in a row."""
        seen, queue = {(source, True)}, collections.deque([(source, True)])
        while queue:
            x, was_anti = queue.popleft()
            for y, kinds in self.edges[x].items():
                steps = ([False] if kinds & {"ww", "wr"} else []) + ([True] if "rw" in kinds and not was_anti else [])
                for is_anti in steps if y in inside else []:
                    if y == target and not is_anti:
                        return True
                    if (y, is_anti) not in seen:
                        seen.add((y, is_anti))
                        queue.append((y, is_anti))
        return False


def shortest(graph, source, target):
    before, queue = {source: None}, collections.deque([source])
    while queue:
        x = queue.popleft()
        if x == target:
            path = []
            while x is not None:
                path.append(x)
                x = before[x]
            return path[::-1]
        for y in graph.get(x, ()):
            if y not in before:
                before[y] = x
                queue.append(y)
    return None


def components(graph):
    """Strongly connected components of more than one node (Tarjan, without recursion)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []
    for root in list(graph):
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(graph[root]))]
        while work:
            x, targets = work[-1]
            y = next((y for y in targets if y not in index or y in on_stack), None)
            if y is not None and y in index:
                low[x] = min(low[x], index[y])
                continue
            if y is not None:
                index[y] = low[y] = len(index)
                stack.append(y)
                on_stack.add(y)
                work.append((y, iter(graph.get(y, ()))))
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[x])
            if low[x] == index[x]:
                component = []
                while not component or component[-1] != x:
                    component.append(stack.pop())
                    on_stack.discard(component[-1])
                if len(component) > 1:
                    found.append(component)
    return found


def illegal(level, found):
    """Of what was found, what the level excludes."""
    return {anomaly: found[anomaly] for anomaly in sorted(set(found) & ILLEGAL[level])}
