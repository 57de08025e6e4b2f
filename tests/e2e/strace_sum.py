#!/usr/bin/env python3
"""Sum what strace -f -o FILE -e trace=brk,mmap,munmap,mremap says: JSON, a line for each process.

Usage: strace_sum.py FILE

Of each call: how many, how many failed, and bytes rounded up to pages. What brk() obtains and returns is the difference
to the break before, which the start of each program asks for.
"""
import json
import re
import sys

PAGE = 4096
LINE = re.compile(r"^(\d+) +(.*)$")
CALL = re.compile(r"^(brk|mmap|munmap|mremap)\((.*)\) += (-?\w+)(.*)$")


def pages(number):
    return (int(number, 0) + PAGE - 1) // PAGE * PAGE


def new():
    return {
        "brk": {"calls": 0, "failed": 0, "grown": 0, "shrunk": 0},
        "mmap": {"calls": 0, "failed": 0, "bytes": 0},
        "munmap": {"calls": 0, "failed": 0, "bytes": 0},
        "mremap": {"calls": 0, "failed": 0, "grown": 0, "shrunk": 0},
    }


def change(sums, before, after):
    sums["grown"] += max(0, after - before)
    sums["shrunk"] += max(0, before - after)


def add(process, call, args, result, breaks, pid):
    sums = process[call]
    sums["calls"] += 1
    if call == "brk":
        now = int(result, 16)
        if args[0] != "NULL":
            sums["failed"] += int(args[0], 16) != now
        if args[0] != "NULL" and pid in breaks:
            change(sums, pages(str(breaks[pid])), pages(str(now)))
        breaks[pid] = now
    elif result == "-1":
        sums["failed"] += 1
    elif call == "mremap":
        change(sums, pages(args[1]), pages(args[2]))
    else:
        sums["bytes"] += pages(args[1])


def main():
    processes, breaks, unfinished = {}, {}, {}
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        for line in file:
            match = LINE.match(line)
            if not match:
                continue
            pid, text = match.groups()
            if text.endswith("<unfinished ...>"):
                unfinished[pid] = text[: -len("<unfinished ...>")].rstrip()
                continue
            resumed = re.match(r"^<\.\.\. \w+ resumed>(.*)$", text)
            if resumed:
                text = unfinished.pop(pid, "") + resumed.group(1)
            match = CALL.match(text)
            if match:
                call, args, result, _ = match.groups()
                add(processes.setdefault(pid, new()), call, args.split(", "), result, breaks, pid)
    for pid, process in processes.items():
        print(json.dumps({"pid": int(pid), **process}))


main()
