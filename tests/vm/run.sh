#!/bin/bash
# run.sh - run memtrace on other kernels, under qemu.
#
# Usage: run.sh [-e FILE]... [-j JOBS] [VERSION...]
#   -e FILE  run this file of tests/e2e, or 'smoke': tests/vm/smoke.sh, which is what runs without -e
#   -j JOBS  so many kernels at a time; without -j, one for each CPU (an emulated machine keeps one busy)
#   VERSION  the kernels, in this order (5.10 6.1 6.12 7.2); fetch-kernel.sh knows which there are
# From the environment:
#   O           where the build is (build): O/memtrace and O/tests/progs are tested
#   KERNEL_DIR  where the kernels are kept (O/kernels)
#   TOOLS       more programs of this machine to have in the guest, with the libraries they need
#   LIMIT       seconds for each kernel (900)
#   BOOT        more options for boot.sh
#
# Prints what the guests print, each line after its kernel's version, then a table: command x kernel, and below it what
# was skipped, and why. The table is kept as Markdown in O/vm/table.md, what the guests printed in O/vm/VERSION.log, what
# their kernels said in O/vm/VERSION/console.
# Exit status: 0 every check on every kernel passed; 1 some did not, or did not run; 2 bad usage, or nothing to test.
set -u

die() { echo "run.sh: $1" >&2; exit 2; }

# libraries PROGRAM...: the shared libraries they need and the loader, as paths
libraries() { ldd "$@" 2> /dev/null | grep -oE '(=> |^\s+)/\S+' | grep -o '/.*'; }

# Where one of the files is written for Python: it and its library, of this machine.
python_files() {
	local python=/usr/bin/python3 dir

	grep -q python3 "${files[@]}" && [ -x "$python" ] || return 0
	dir=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
	echo "$python"
	find "$dir" -name test -prune -o -name '*-packages' -prune -o -name ensurepip -prune -o \
		-name '*.py' -print -o -name '*.so' -print
}

# The guest gets the tools that the tests are written for, where they are here (busybox knows fewer options).
make_payload() {
	local tools program

	rm -rf "$payload" "$logs/each"
	mkdir -p "$root/memtrace/build/tests/progs" "$root/memtrace/tests/vm" || return
	cp tests/vm/guest.sh "$payload/run" && cp tests/vm/smoke.sh "$root/memtrace/tests/vm/" &&
	cp "$O/memtrace" "$root/memtrace/build/" && cp -r tests/e2e "$root/memtrace/tests/" || return
	for program in "$O"/tests/progs/*; do
		[ ! -x "$program" ] || cp "$program" "$root/memtrace/build/tests/progs/" || return
	done

	mapfile -t tools < <(
		echo /bin/bash
		dpkg -L coreutils findutils grep mount procps sed util-linux | grep -E '/s?bin/.'
		# shellcheck disable=SC2086 # words
		PATH=$PATH:/usr/sbin:/sbin command -v awk bats getconf iconv jq ldd mkfs.ext4 readelf setpriv smem ${TOOLS-}
		python_files)
	mapfile -t -O ${#tools[@]} tools < <(libraries "${tools[@]}" "$O/memtrace" "$O"/tests/progs/*)
	tools+=(/usr/lib/bats-core /usr/libexec/bats-core)
	mapfile -t tools < <(printf '%s\n' "${tools[@]#/}" | sort -u)
	(set -o pipefail; tar -C / -ch "${tools[@]}" | tar -x -C "$root")
}

# 6.12 needs boot.sh's default processor; 7.2 has no task storage for BPF without cmpxchg16b, which that lacks.
cpu_for() {
	case $1 in
	5.* | 6.*) ;;
	*) echo '-p max' ;;
	esac
}

# run_kernel VERSION: what it printed and '# status STATUS SECONDS' in $logs/VERSION.log, the kernel's release in
# $logs/VERSION.release. False if anything failed.
run_kernel() {
	local version=$1 log=$logs/$1.log each=$logs/each/$1 start=$SECONDS status=none

	: > "$log"
	if tests/vm/fetch-kernel.sh "$version" "$kernels"; then
		sed -E 's/^[^ ]* ([0-9.]+).*/\1/' "$kernels/$version/package" > "$logs/$version.release"
		# The payload, with the modules of this kernel; boot.sh follows links.
		mkdir -p "$each" && ln -s "$payload/run" "$payload/root" "$kernels/$version/modules" "$each/"
		# shellcheck disable=SC2046,SC2086 # options
		tests/vm/boot.sh -t "${LIMIT:-900}" -l "$logs/$version" $(cpu_for "$version") ${BOOT-} \
			"$kernels/$version/vmlinux" "$each" "${files[@]}" |
			tee "$log" | sed -u "s/^/$version: /"
		status=${PIPESTATUS[0]}
	fi
	echo "# status $status $((SECONDS - start))" >> "$log"
	[ "$status" = 0 ] && grep '^ok ' "$log" | grep -qv ' # skip' && ! grep -q '^not ok ' "$log"
}

# Each kernel is a job with a process group of its own: qemu would outlive a shell that Ctrl-C ends.
# shellcheck disable=SC2317 # the trap calls it
end_jobs() {
	local job

	for job in $(jobs -p); do
		kill -TERM -- "-$job" 2> /dev/null
	done
	exit 130
}

# run_kernels VERSION...: at most $jobs at a time. False if one failed.
run_kernels() {
	local version running=0 status=0

	set -m
	trap end_jobs INT TERM HUP
	for version; do
		if [ $running = "$jobs" ]; then
			wait -n || status=1
			running=$((running - 1))
		fi
		run_kernel "$version" &
		running=$((running + 1))
	done
	while [ $running -gt 0 ]; do
		wait -n || status=1
		running=$((running - 1))
	done
	return $status
}

# table VERSION...: as Markdown; then each check that was skipped, and why
table() {
	local paths=("${@/#/$logs/}")

	awk -v versions="$*" -v logs="$logs" '
		FNR == 1 { version = FILENAME; sub(/.*\//, "", version); sub(/\.log$/, "", version) }
		/^(not )?ok / {
			command = $1 == "not" ? $3 : $2
			sub(/:$/, "", command)
			if (!(command in known)) { known[command]; commands[++count] = command }
			total[command, version]++
			if ($1 == "not") failed[command, version]++
			else if (/ # skip/) {
				skipped[command, version]++
				sub(/^ok [0-9]* */, "")
				on[$0] = on[$0] " " version
			}
		}
		/^# status / { status[version] = $3; seconds[version] = $4 }
		function cell(command, version,    all, bad, left) {
			all = total[command, version]; bad = failed[command, version]; left = skipped[command, version]
			if (!all) return "-"
			if (bad) return bad " of " all " FAILED"
			if (left == all) return all " skipped"
			return all - left " of " all (left ? ", " left " skipped" : "")
		}
		function ended(status) {
			if (status == "none") return "NO KERNEL"
			if (status == 124) return "TIME-OUT"
			if (status == 125) return "DIED"
			return status == 0 ? "ok" : "status " status
		}
		function release(version,    line) {
			return (getline line < (logs "/" version ".release")) > 0 ? line : version
		}
		END {
			n = split(versions, column, " ")
			printf "| command |"
			for (v = 1; v <= n; v++) printf " %s |", release(column[v])
			printf "\n|---|"
			for (v = 1; v <= n; v++) printf "---|"
			for (c = 1; c <= count; c++) {
				printf "\n| %s |", commands[c]
				for (v = 1; v <= n; v++) printf " %s |", cell(commands[c], column[v])
			}
			printf "\n| (guest) |"
			for (v = 1; v <= n; v++) printf " %s, %d s |", ended(status[column[v]]), seconds[column[v]]
			print ""
			for (what in on) print "\n" what ":" on[what]
		}' "${paths[@]/%/.log}"
}

files=() jobs=$(nproc)
while getopts e:j: option; do
	case $option in
	e)
		case $OPTARG in
		smoke) files+=(tests/vm/smoke.sh) ;;
		*) files+=("tests/e2e/$(basename "$OPTARG" .bats).bats") ;;
		esac
		;;
	j) jobs=$OPTARG ;;
	*) sed -n '/^# Usage/,/^# From/s/^# \{0,1\}//p' "$0" | head -n -1 >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- 5.10 6.1 6.12 7.2

cd "$(dirname "$0")/../.." || exit 2
O=$(readlink -f "${O:-build}")
kernels=$(readlink -f "${KERNEL_DIR:-$O/kernels}") logs=$O/vm payload=$O/vm/payload root=$O/vm/payload/root
[ -x "$O/memtrace" ] || die "no $O/memtrace: run make first"
for file in "${files[@]}"; do
	[ -f "$file" ] || die "no $file"
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "-j: '$jobs' is not a number of jobs"
make_payload || die 'cannot make the payload'

run_kernels "$@"
status=$?
echo
table "$@" | tee "$logs/table.md"
exit $status
