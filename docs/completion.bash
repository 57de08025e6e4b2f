# shellcheck shell=bash
# Completion of memtrace for bash. Installed by `make install`, or: source docs/completion.bash
#
# A command is a word of _memtrace_commands and a case of _memtrace_options; tests/e2e/contract.bats holds both to what
# `memtrace COMMAND --help` says.

_memtrace_commands='faults brk-vs-mmap leaks oom ps maps system reclaim tlb doctor'

# _memtrace_options COMMAND: its options, long and short
_memtrace_options() {
	local common='--json --verbose --help -v'
	local tracing='--pid --follow --comm --cgroup --user --duration --interval --top --output --btf -p -d -i -n -o'

	local stacks='--stacks --stack-size --kernel-stacks --folded --pprof --flamegraph'

	local leaks='--heap --older --min-size --max-size --sample --blocks --object --prefix --everywhere --kernel'

	case $1 in
	faults) echo "$common $tracing $stacks --latency --kinds --events --major --min-latency --buffer --max-vmas" ;;
	brk-vs-mmap) echo "$common $tracing $stacks --events --smaps --buffer" ;;
	leaks) echo "$common $tracing $stacks --buffer $leaks" ;;
	oom) echo "$common --comm --cgroup --duration --output --last --brief --log --exec --stacks --btf -d -o" ;;
	tlb) echo "$common $tracing --sort --entries --max-processes" ;;
	ps) echo "$common --pid --comm --cgroup --user --sort --by --columns --top --fast --read-limit --watch --interval --duration --output -p -n -i -d -o" ;;
	maps) echo "$common --pid --address --by --details --segments --picture --trace --top --output --btf -p -n -o" ;;
	system) echo "$common --cgroup --duration --interval --output -d -i -o" ;;
	reclaim) echo "$common $tracing $stacks --events --min-latency --no-faults --buffer --max-rows" ;;
	doctor) echo "$common --btf" ;;
	esac
}

# Processes, in a list that commas separate
_memtrace_pids() {
	local before='' pid

	[[ $1 != *,* ]] || before=${1%,*},
	for pid in /proc/[0-9]*; do
		pid=${pid#/proc/}
		[[ $before$pid != "$1"* ]] || COMPREPLY+=("$before$pid")
	done
}

# Directories; and, unless the word is an absolute path or begins with a dot, cgroups by their path below the mount
_memtrace_cgroups() {
	local root=/sys/fs/cgroup

	compopt -o filenames -o nospace 2>/dev/null
	[[ ! -d $root/memory ]] || root=$root/memory
	case $1 in
	/* | .*) mapfile -t COMPREPLY < <(compgen -d -- "$1") ;;
	*) mapfile -t COMPREPLY < <(cd "$root" 2>/dev/null && compgen -d -- "$1") ;;
	esac
}

# After --: a program, and then what its own completion offers
_memtrace_program() {
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "$1"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif ((COMP_CWORD == $1)); then
		mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
	else
		compopt -o default 2>/dev/null
	fi
}

# _memtrace_after_equals WORD VALUE...: those of an option whose value is optional; without "=" another option comes
_memtrace_after_equals() {
	local word=$1 words

	shift
	if [[ ${COMP_WORDS[COMP_CWORD - 1]} == = || ${COMP_WORDS[COMP_CWORD]} == = ]]; then
		words="$*"
	else
		words=$(_memtrace_options "${COMP_WORDS[1]}")
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

_memtrace() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} i

	COMPREPLY=()
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			_memtrace_program $((i + 1))
			return
		fi
	done
	# --option=value is three words: = is among the characters that separate words.
	if [[ $word == = ]]; then
		word=
	elif [[ $before == = ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$_memtrace_commands --help --version" -- "$word")
		return
	fi
	case $before in
	-p | --pid) _memtrace_pids "$word" ;;
	--cgroup) _memtrace_cgroups "$word" ;;
	--stacks) _memtrace_after_equals "$word" auto fp dwarf off ;;
	--latency) _memtrace_after_equals "$word" all ;;
	-o | --output | --btf | --log | --folded | --pprof | --flamegraph) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
	--by) mapfile -t COMPREPLY < <(compgen -W "$([[ ${COMP_WORDS[1]} == maps ]] && echo file || echo user cgroup comm mapping)" -- "$word") ;;
	--sort) mapfile -t COMPREPLY < <(compgen -W "$([[ ${COMP_WORDS[1]} == tlb ]] && echo flushes sent received local empty switches pgtables ||
		echo vss rss shared pss uss swap pgtables thp locked minor major oom)" -- "$word") ;;
	--exec) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
	--comm | -d | --duration | -i | --interval | -n | --top | --min-latency | --buffer | --max-vmas | --max-processes | --entries | --stack-size | --columns | --read-limit | --address | --trace) ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$(_memtrace_options "${COMP_WORDS[1]}")" -- "$word") ;;
	esac
}

complete -F _memtrace memtrace
