#!/usr/bin/env bats
# Each command of src/commands.h has what a command has to have (CONTRIBUTING.md): its --help, a section of the manual and
# a completion that agree with it, a row in the README, an end-to-end test. No privilege is needed.

load lib

MANUAL=$TOP/docs/memtrace.8

setup() {
	common_setup
	[[ -r $MANUAL && -r $TOP/src/commands.h ]] || skip "the binary and the tests alone, without the tree"
}
teardown() { common_teardown; }

# commands: by name, a line each
commands() {
	sed -n 's/^\tX(\([a-z_]*\), .*/\1/p' "$TOP/src/commands.h" | tr _ - | sort
}

# help_options COMMAND: what it takes, as -x or --name, a line each
help_options() {
	"$MEMTRACE" "$1" --help | grep -oE '^ {2,6}(-[a-zA-Z](, )?)?(--[a-z-]+)?' | grep -oE -- '-[-a-zA-Z]+' | sort -u
}

# manual_options SECTION: what its .It lines say
manual_options() {
	awk -v section="$1" '
		/^\.Sh / { in_it = substr($0, 5) == section }
		in_it && /^\.It Fl / {
			for (i = 3; i <= NF && $i != "Ar"; i++)
				if ($i ~ /^-?[a-zA-Z]/)
					print "-" $i
		}' "$MANUAL" | sort -u
}

# section COMMAND: its title in the manual
section() {
	echo "MEMTRACE ${1^^}"
}

# complete_after WORDS...: what completion offers for one more word that starts with -, or for the first word
complete_after() {
	bash -c '
		source "$1/docs/completion.bash"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_memtrace
		printf "%s\n" "${COMPREPLY[@]}"' bash "$TOP" memtrace "$@" | sort -u
}

# only_in A B: the lines of the first that are not in the second
only_in() {
	comm -23 <(echo "$1") <(echo "$2") | paste -sd ' '
}

@test "memtrace --help lists the commands of commands.h" {
	mt --help
	equal status "$MT_STATUS" 0
	equal commands "$(sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' "$MT_OUT" | sort)" "$(commands)"
}

@test "--help of each command: on stdout, exit 0" {
	local command

	for command in $(commands); do
		mt "$command" --help
		equal "status of $command --help" "$MT_STATUS" 0
		equal "bytes on stderr of $command --help" "$(wc -c <"$MT_ERR")" 0
		matches "usage of $command" "$(head -n 1 "$MT_OUT")" "^Usage: memtrace $command( |$)"
		at_least "options of $command" "$(help_options "$command" | wc -l)" 1
	done
}

@test "each command is listed in the manual and has a section there, and no other has" {
	local command sections

	for command in $(commands); do
		grep -qx "\.It Cm $command" "$MANUAL" || fail "$command is not in the list of commands"
	done
	sections=$(sed -n 's/^\.Sh MEMTRACE //p' "$MANUAL" | sort)
	equal sections "$sections" "$(commands | tr '[:lower:]' '[:upper:]')"
}

@test "every option is in the manual, under its command or among the common ones" {
	local command known

	for command in $(commands); do
		known=$(manual_options OPTIONS; manual_options "$(section "$command")")
		equal "options of $command that the manual lacks" \
			"$(only_in "$(help_options "$command")" "$(sort -u <<<"$known")")" ""
	done
}

@test "every option in the manual is there" {
	local command all=--version

	for command in $(commands); do
		all+=$'\n'$(help_options "$command")
		equal "options of $command that only the manual has" \
			"$(only_in "$(manual_options "$(section "$command")")" "$(help_options "$command")")" ""
	done
	equal "common options that no command has" "$(only_in "$(manual_options OPTIONS)" "$(sort -u <<<"$all")")" ""
}

@test "completion offers the commands" {
	equal commands "$(complete_after '' | sed '/^-/d')" "$(commands)"
}

@test "completion offers each command's options, and no others" {
	local command

	for command in $(commands); do
		equal "options of $command" "$(complete_after "$command" - | paste -sd ' ')" \
			"$(help_options "$command" | paste -sd ' ')"
	done
}

@test "completion offers the values of options that have them" {
	complete_after faults -p "$$" | grep -qx $$ || fail "-p does not complete the pid $$"
	complete_after faults --pid "1,$$" | grep -qx "1,$$" || fail "--pid does not complete the second pid"
	mkdir "$BATS_TEST_TMPDIR/inside"
	complete_after faults --cgroup "$BATS_TEST_TMPDIR/" | grep -qx "$BATS_TEST_TMPDIR/inside" ||
		fail "--cgroup does not complete a directory"
	complete_after faults --cgroup = "$BATS_TEST_TMPDIR/" | grep -qx "$BATS_TEST_TMPDIR/inside" ||
		fail "--cgroup= does not complete a directory"
	equal "values of --latency=" "$(complete_after faults --latency = '')" all
	complete_after faults --latency -- | grep -qx -- --kinds || fail "--latency is taken to want a value"
	equal "values of -n" "$(complete_after faults -n '')" ""
	complete_after faults -- ba | grep -qx bash || fail "-- does not complete a program"
}

@test "each command has a row in the README's table of commands, and no other has" {
	# shellcheck disable=SC2016 # backquotes, as they are
	equal rows "$(sed -n 's/^| *`memtrace \([a-z-]*\)`.*/\1/p' "$TOP/README.md" | sort)" "$(commands)"
}

@test "each command is run by an end-to-end test" {
	local command

	for command in $(commands); do
		grep -qE "^[^#]*(\bmt(_start)?|\"\\\$MEMTRACE\") $command\b" "$TOP"/tests/e2e/*.bats ||
			fail "no test runs memtrace $command"
	done
}
