#!/bin/sh
# install-packages.sh PACKAGE...: install Debian packages that are missing; elsewhere say what is wanted.
# Exit status: 0 all are there, 1 not (told).
set -u
missing=
for package; do
	status=$(dpkg-query -W -f '${Status}' "$package" 2> /dev/null)
	[ "$status" = 'install ok installed' ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get > /dev/null; then
	cat >&2 <<-EOF
		This is not Debian: install what corresponds to these packages, and go on:
		  clang and llvm 14 or later, bpftool, gcc, make, pkg-config; headers and libraries of
		  libbpf 1.1 or later, libelf, libdw, libiberty, zlib, liblzma, jansson, uthash, protobuf-c;
		  for the tests g++, xz, cmocka, bats, jq, strace, gdb, clang-format 14, cppcheck,
		  shellcheck, perf, go, chromium.
		In Debian's words:$missing
	EOF
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "to install$missing: run as root" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $missing > /dev/null 2>&1 ||
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing > /dev/null; }
