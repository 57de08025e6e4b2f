#!/usr/bin/env bats
# --latency: every fault timed, per VMA and per class.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

@test "every completed fault has its latency, and the percentiles are in order" {
	local row

	faults --latency -- "$PROGS/storm" -n 5000 -r 4
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

	faults --latency -- "$PROGS/storm" -n 5000 -r 4
	p50=$(field "$(vma "$(value pid)" region0)" .latency_ns.p50)
	# From within the exception to its end, in log2 buckets: less than all of it, more than a thirtieth.
	at_most p50 "${p50%.*}" $((2 * $(value ns_per_fault)))
	at_least p50 "${p50%.*}" $(($(value ns_per_fault) / 30))
}

@test "without --latency minor faults are not timed" {
	faults -- "$PROGS/storm" -n 100 -r 1
	equal "latencies of a region of minor faults" "$(field "$(vma "$(value pid)" region0)" '.latency_ns.count // 0')" 0
}

@test "the text has a histogram with percentiles, within 80 columns" {
	mt faults --latency -- "$PROGS/storm" -n 5000 -r 2
	grep -qi p99 "$MT_OUT"
	grep -qi p50 "$MT_OUT"
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
}
