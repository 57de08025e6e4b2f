#!/usr/bin/env bats
# --latency: minor faults timed as well, per VMA and per class; a sample of them where they come fast.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

@test "every completed fault has its latency, and the percentiles are in order" {
	local row

	faults --latency=all -- "$PROGS/storm" -n 5000 -r 4
	equal status "$MT_STATUS" 0
	row=$(vma "$(value pid)" region0)
	equal faults "$(field "$row" .faults)" "$(value region0.faults)"
	equal latencies "$(field "$row" .latency_ns.count)" "$(value region0.faults)"
	field "$row" '.latency_ns | if .p50 > 0 and .p50 <= .p99 and .p99 <= .max then "ordered" else . end' | grep -qx ordered
	equal "VMAs with more latencies than faults" \
		"$(j '[.[] | select(.type == "vma" and .latency_ns != null and .latency_ns.count > .faults)] | length')" 0
}

@test "the median agrees with what a fault takes" {
	local p50

	faults --latency=all -- "$PROGS/storm" -n 5000 -r 4
	p50=$(field "$(vma "$(value pid)" region0)" .latency_ns.p50)
	# From within the exception to its end, in log2 buckets: less than all of it, more than a thirtieth.
	at_most p50 "${p50%.*}" $((2 * $(value ns_per_fault)))
	at_least p50 "${p50%.*}" $(($(value ns_per_fault) / 30))
}

# minor WHAT: of all classes, the sum of "count" (timed) or of "faults"
minor() {
	j "[.[] | select(.type == \"latency\" and .fault == \"minor\").$1] | add"
}

@test "where faults come fast every 16th is timed, and each is counted" {
	local row timed

	faults --latency -- "$PROGS/storm" -n 16384 -r 20
	row=$(vma "$(value pid)" region0)
	timed=$(field "$row" .latency_ns.count)
	equal faults "$(field "$row" .faults)" "$(value region0.faults)"
	equal kinds "$(field "$row" .kinds.anon_write)" "$(value region0.faults)"
	at_least "timed" "$timed" $(($(value region0.faults) / 16))
	if (($(value ns_per_fault) < 5000)); then # far more than 100,000 a second
		at_most "timed, when faults come fast" "$timed" $(($(value region0.faults) / 2))
	fi
	equal "faults of all classes" "$(minor faults)" \
		"$(j '[.[] | select(.type == "vma") | .faults - (.major // 0) - (.failed // 0)] | add')"
	at_most "timed of all" "$(minor count)" "$(minor faults)"
}

@test "the sample has the median of all" {
	local all p50

	faults --latency=all -- "$PROGS/storm" -n 16384 -r 10
	all=$(field "$(vma "$(value pid)" region0)" .latency_ns.p50)
	faults --latency -- "$PROGS/storm" -n 16384 -r 10
	p50=$(field "$(vma "$(value pid)" region0)" .latency_ns.p50)
	at_least "the median" $((2 * ${p50%.*})) "${all%.*}" # buckets are powers of two: the same, or the next
	at_most "the median" "${p50%.*}" $((2 * ${all%.*}))
}

@test "where faults are few all are timed" {
	faults --latency -- "$PROGS/storm" -n 100 -r 1
	equal "timed in the region" "$(field "$(vma "$(value pid)" region0)" .latency_ns.count)" 100
	equal "timed of all" "$(minor count)" "$(minor faults)"
}

@test "without --latency minor faults are not timed" {
	faults -- "$PROGS/storm" -n 100 -r 1
	equal "latencies of a region of minor faults" "$(field "$(vma "$(value pid)" region0)" '.latency_ns.count // 0')" 0
}

@test "the text has a histogram with percentiles, within 80 columns" {
	mt faults --latency -- "$PROGS/storm" -n 16384 -r 20
	if (($(value ns_per_fault "$MT_OUT") < 5000)); then
		tr '\n' ' ' <"$MT_OUT" | grep -q 'were timed: every 16th' || fail "it is not said that a sample was timed"
	fi
	grep -qi p99 "$MT_OUT"
	grep -qi p50 "$MT_OUT"
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
}

@test "what is no way of timing is told" {
	mt faults --latency=some -d 1
	equal status "$MT_STATUS" 2
	check_one_line
}
