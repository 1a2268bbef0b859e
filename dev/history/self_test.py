"""Planted histories: each anomaly must be found, and nothing else that is worse."""
from checker import History, Txn, illegal


def append(key, value):
    return ("append", key, value)


def read(key, *values):
    return ("read", key, list(values))


# Name, transactions, lists at the end, what must be found.
CASES = [
    ("serial", [Txn(1, [append("x", 1), read("x", 1)]), Txn(2, [read("x", 1), append("x", 2)])], {"x": [1, 2]}, set()),
    ("own appends", [Txn(1, [append("x", 1), append("x", 2), read("x", 1, 2)])], {"x": [1, 2]}, set()),
    ("failed and unseen", [Txn(1, [append("x", 1)], "failed"), Txn(2, [read("x")])], {}, set()),
    ("unknown and seen", [Txn(1, [append("x", 1)], "unknown"), Txn(2, [read("x", 1)])], {"x": [1]}, set()),
    ("unknown and lost", [Txn(1, [append("x", 1)], "unknown"), Txn(2, [read("x")])], {}, set()),
    (
        "G0",
        [Txn(1, [append("x", 1), append("y", 1)]), Txn(2, [append("x", 2), append("y", 2)])],
        {"x": [1, 2], "y": [2, 1]},
        {"G0", "G1c"},
    ),
    ("G1a", [Txn(1, [append("x", 1)], "failed"), Txn(2, [read("x", 1)]), Txn(3, [append("x", 2)])], {"x": [2]}, {"G1a", "vanished"}),
    ("G1a at the end", [Txn(1, [append("x", 1)], "failed")], {"x": [1]}, {"G1a"}),
    ("G1b", [Txn(1, [append("x", 1), append("x", 2)]), Txn(2, [read("x", 1)])], {"x": [1, 2]}, {"G1b", "G-single"}),
    ("G1c", [Txn(1, [append("x", 1), read("y", 2)]), Txn(2, [append("y", 2), read("x", 1)])], {"x": [1], "y": [2]}, {"G1c"}),
    ("lost", [Txn(1, [append("x", 1)]), Txn(2, [append("x", 2)])], {"x": [2]}, {"lost"}),
    ("vanished", [Txn(1, [append("x", 1)], "unknown"), Txn(2, [read("x", 1)])], {}, {"vanished"}),
    ("forked", [Txn(1, [append("x", 1)]), Txn(2, [append("x", 2)]), Txn(3, [read("x", 1, 2)]), Txn(4, [read("x", 2)])], {"x": [1, 2]}, {"forked"}),
    ("internal", [Txn(1, [append("x", 1), read("x")])], {"x": [1]}, {"internal"}),
    ("duplicate", [Txn(1, [append("x", 1)]), Txn(2, [read("x", 1, 1)])], {"x": [1]}, {"duplicate"}),
    ("unknown value", [Txn(1, [read("x", 7)])], {"x": [7]}, {"unknown-value"}),
    (
        "read skew",
        [Txn(1, [append("x", 1), append("y", 1)]), Txn(2, [read("x"), read("y", 1)])],
        {"x": [1], "y": [1]},
        {"G-single"},
    ),
    ("lost update", [Txn(1, [read("x"), append("x", 1)]), Txn(2, [read("x"), append("x", 2)])], {"x": [1, 2]}, {"G-single"}),
    ("changed", [Txn(1, [append("x", 1)]), Txn(2, [read("x"), read("x", 1)])], {"x": [1]}, {"changed", "G-single"}),
    (
        "long fork",
        [Txn(1, [append("x", 1)]), Txn(2, [append("y", 1)]), Txn(3, [read("x", 1), read("y")]), Txn(4, [read("x"), read("y", 1)])],
        {"x": [1], "y": [1]},
        {"G-nonadjacent"},
    ),
    (
        "write skew",
        [Txn(1, [read("x"), append("y", 1)]), Txn(2, [read("y"), append("x", 1)])],
        {"x": [1], "y": [1]},
        {"G2"},
    ),
    (
        # 1 reads x and writes y, 2 writes x and commits first, 3 sees that and not 1.
        "read-only anomaly",
        [Txn(1, [read("x"), append("y", 1)]), Txn(2, [append("x", 1)]), Txn(3, [read("x", 1), read("y")])],
        {"x": [1], "y": [1]},
        {"G2"},
    ),
    (
        "real time",
        [Txn(1, [append("x", 1)], begin=1, end=2), Txn(2, [read("x")], begin=3, end=4)],
        {"x": [1]},
        {"real-time"},
    ),
]

# Which level must object to it first.
FIRST = {
    "read committed": {"G0", "G1a", "G1a at the end", "G1b", "G1c", "lost", "vanished", "forked", "internal", "duplicate", "unknown value"},
    "repeatable read": {"read skew", "lost update", "changed", "long fork"},
    "serializable": {"write skew", "read-only anomaly", "real time"},
}


def overlap(txns):
    """Puts transactions without times side by side, so that nothing is said of real time."""
    if not any(txn.end for txn in txns):
        for txn in txns:
            txn.begin, txn.end = 0.0, 1.0


def run():
    """Whether all is found."""
    wrong = 0
    for name, txns, final, expected in CASES:
        overlap(txns)
        found = History(txns, final).check()
        objecting = [level for level in FIRST if illegal(level, found)]
        first = next((level for level, names in FIRST.items() if name in names), None)
        if set(found) != expected or (objecting[:1] or [None]) != [first]:
            wrong += 1
            print("%s: found %s, objected by %s" % (name, dict(found), objecting))
    print("%d planted histories, %d not told right" % (len(CASES), wrong))
    return wrong == 0
