#!/usr/bin/env python3
# pprof_decode.py FILE: a profile in pprof's format, read by nothing but the format's definition. Prints JSON with the
# totals by type, the stacks by name with the value of the first type, and whatever is unsound.
import collections
import gzip
import json
import sys


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def fields(data):
    """Field number -> list of its values: numbers, or bytes."""
    found, at = collections.defaultdict(list), 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        elif key & 7 != 0:
            sys.exit(f"wire type {key & 7}")
        found[key >> 3].append(value)
    if at != len(data):
        sys.exit("a field ends beyond its message")
    return found


def numbers(values):
    """Repeated numbers, packed or not."""
    result = []
    for value in values:
        at = 0
        while isinstance(value, bytes) and at < len(value):
            number, at = varint(value, at)
            result.append(number)
        result += [value] if isinstance(value, int) else []
    return result


def one(message, number, default=0):
    return message[number][-1] if message[number] else default


def main():
    profile = fields(gzip.open(sys.argv[1]).read())
    strings = [text.decode() for text in profile[6]]
    functions = {one(f, 1): strings[one(f, 2)] for f in map(fields, profile[5])}
    mappings = {one(m, 1): m for m in map(fields, profile[3])}
    bad = [] if strings[0] == "" else ["the first string is not empty"]
    locations = {}
    for location in map(fields, profile[4]):
        names = [functions[one(fields(line), 1)] for line in location[4]]
        locations[one(location, 1)] = names
        mapping, address = one(location, 2), one(location, 3)
        if mapping and not one(mappings[mapping], 2) <= address < one(mappings[mapping], 3):
            bad.append(f"location {address:#x} is outside its mapping")
    types = [strings[one(fields(t), 1)] for t in profile[1]]
    totals, stacks = [0] * len(types), collections.Counter()
    for sample in map(fields, profile[2]):
        values = numbers(sample[2])
        totals = [sum(pair) for pair in zip(totals, values, strict=True)]
        names = [name for id in numbers(sample[1]) for name in locations[id]]
        comm = [strings[one(l, 2)] for l in map(fields, sample[3]) if strings[one(l, 1)] == "comm"]
        stacks[";".join(comm + names[::-1])] += values[0]
    json.dump({"totals": dict(zip(types, totals)), "stacks": stacks, "bad": bad}, sys.stdout)


main()
