"""What the scripts of this folder share: their arguments, seeded choices, and psql's answers statement by statement."""
import argparse
import random
import subprocess

# Comes before each statement's answer; its number follows.
MARK = "@@"


class Chooser:
    """Choices that follow from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, part):
        return self.random.random() < part

    def pick(self, *choices):
        return self.random.choice(choices)


def arguments(description, count):
    """A parser of the arguments that every script takes."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("damask")
    parser.add_argument("postgres")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--count", type=int, default=count)
    return parser


def answers(url, options, setup, statements):
    """The lines that psql prints for each statement, by its place, in one session after `setup`."""
    script = "\n".join(setup + ["\\echo %s%d\n%s" % (MARK, at, statement) for at, statement in enumerate(statements)])
    done = subprocess.run(["psql", url] + options, input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found, current = {}, None
    for line in done.stdout.split("\n"):
        if line.startswith(MARK):
            current = found.setdefault(int(line[len(MARK) :]), [])
        elif current is not None:
            current.append(line)
    return found
