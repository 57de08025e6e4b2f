#!/usr/bin/env python3
"""Is what memtrace says of a process's mappings what the process has read in /proc/self/maps?

Usage: same_maps.py PID OUTPUT MAPS

OUTPUT is of memtrace brk-vs-mmap --json. Neighbours with the same permissions count as one: a VMA may be several
mappings of the ledger, and the other way round. Prints what differs; exit status 1 if anything does.
"""
import json
import sys


def joined(ranges):
    out = []
    for start, end, perms in sorted(ranges):
        if out and out[-1][1] == start and out[-1][2] == perms:
            out[-1][1] = end
        else:
            out.append([start, end, perms])
    return [tuple(r) for r in out]


def ours(pid, path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["type"] == "mapping" and row["pid"] == pid:
                yield int(row["start"], 16), int(row["end"], 16), row["perms"]


def theirs(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            start, end = (int(n, 16) for n in fields[0].split("-"))
            if fields[-1] != "[vsyscall]":
                yield start, end, fields[1]


def main():
    got, want = joined(ours(int(sys.argv[1]), sys.argv[2])), joined(theirs(sys.argv[3]))
    for sign, ranges in (("memtrace only", set(got) - set(want)), ("the process only", set(want) - set(got))):
        for start, end, perms in sorted(ranges):
            print(f"{sign}: {start:x}-{end:x} {perms}")
    sys.exit(got != want or not want)


main()
