# table.awk - medians of the measurements, beside each other.
#
# Input: lines of
#	order VARIANT LABEL...			the rows, in the order in which they are printed
#	ns VARIANT THREADS UNTRACED TRACED	one measurement: just before the tracer was started, and under it
#
# Added is the median of the differences, not the difference of the medians: a machine whose speed wanders from minute to
# minute wanders in both of a pair. Ratios are of added to added; bpftrace's is the cheaper of its two.

$1 == "order" {
	variants[++rows] = $2
	label = ""
	for (i = 3; i <= NF; i++)
		label = label (i > 3 ? " " : "") $i
	labels[$2] = label
}

$1 == "ns" {
	add("untraced", $3, $4)
	add($2, $3, $5)
	add($2 " added", $3, $5 - $4)
	if (!seen[$3]++)
		threads[++thread_counts] = $3
}

# The values of each series are kept in order.
function add(series, t, v,    i) {
	i = ++count[series, t]
	for (; i > 1 && value[series, t, i - 1] > v; i--)
		value[series, t, i] = value[series, t, i - 1]
	value[series, t, i] = v
}

function median(series, t,    n) {
	n = count[series, t]
	if (n % 2)
		return value[series, t, (n + 1) / 2]
	return (value[series, t, n / 2] + value[series, t, n / 2 + 1]) / 2
}

function range(series, t) {
	return sprintf("%.0f..%.0f", value[series, t, 1], value[series, t, count[series, t]])
}

function added(variant, t) {
	return median(variant " added", t)
}

# The cheaper of two variants, or the one that was measured, or 0: compared with nothing.
function reference(one, other, t) {
	if (!count[one, t])
		return count[other, t] ? added(other, t) : 0
	if (!count[other, t] || added(one, t) < added(other, t))
		return added(one, t)
	return added(other, t)
}

function ratio(variant, base, t) {
	return base > 0 ? sprintf("%.2f", added(variant, t) / base) : "-"
}

function table(t,    i, v, perf, bpftrace) {
	perf = reference("perf", "perf", t)
	bpftrace = reference("bpftrace-sw", "bpftrace-tp", t)
	printf "\n%d thread%s:\n\n", t, (t > 1 ? "s" : "")
	printf "| %-33s | %8s | %8s | %11s | %6s | %10s |\n", "", "ns/fault", "added ns", "of all runs", "x perf", "x bpftrace"
	print "|-----------------------------------|---------:|---------:|------------:|-------:|-----------:|"
	printf "| %-33s | %8.0f | %8s | %11s | %6s | %10s |\n", "untraced", median("untraced", t), "-", "-", "-", "-"
	for (i = 1; i <= rows; i++) {
		v = variants[i]
		if (count[v, t])
			printf "| %-33s | %8.0f | %8.0f | %11s | %6s | %10s |\n", labels[v], median(v, t), added(v, t), \
				range(v " added", t), ratio(v, perf, t), ratio(v, bpftrace, t)
	}
}

END {
	for (i = 1; i <= thread_counts; i++)
		table(threads[i])
}
