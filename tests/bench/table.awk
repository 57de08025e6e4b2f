# table.awk - medians of the measurements, beside each other.
#
# Input: lines of
#	order VARIANT LABEL...			the rows, in the order in which they are printed
#	ns VARIANT THREADS UNTRACED TRACED	one measurement: just before the tracer was started, and under it
#
# By medians, added is the median of the differences, not the difference of the medians: a machine whose speed wanders from
# minute to minute wanders in both of a pair. Ratios are of added to added; bpftrace's is the cheaper of its two.

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

# What a variant added: by medians of the differences, or by the least of all runs, in which whatever else the machine
# did has the smallest part.
function added(variant, t, least) {
	return least ? value[variant, t, 1] - value["untraced", t, 1] : median(variant " added", t)
}

# The cheaper of two variants, or the one that was measured, or 0: compared with nothing.
function reference(one, other, t, least) {
	if (!count[one, t])
		return count[other, t] ? added(other, t, least) : 0
	if (!count[other, t] || added(one, t, least) < added(other, t, least))
		return added(one, t, least)
	return added(other, t, least)
}

function ratio(plus, base) {
	return base > 0 ? sprintf("%.2f", plus / base) : "-"
}

function row(label, ns, plus, range, perf, bpftrace) {
	printf "| %-33s | %8s | %8s | %11s | %6s | %10s |\n", label, ns, plus, range, perf, bpftrace
}

function range(series, t) {
	return sprintf("%.0f..%.0f", value[series, t, 1], value[series, t, count[series, t]])
}

function table(t, least,    i, v, plus, perf, bpftrace) {
	perf = reference("perf", "perf", t, least)
	bpftrace = reference("bpftrace-sw", "bpftrace-tp", t, least)
	printf "\n%d thread%s, %s:\n\n", t, (t > 1 ? "s" : ""), (least ? "the least of all runs" : "medians")
	row("", "ns/fault", "added ns", (least ? "" : "of all runs"), "x perf", "x bpftrace")
	print "|-----------------------------------|---------:|---------:|------------:|-------:|-----------:|"
	row("untraced", least ? value["untraced", t, 1] : sprintf("%.0f", median("untraced", t)), "-", least ? "" : "-", "-", "-")
	for (i = 1; i <= rows; i++) {
		v = variants[i]
		if (!count[v, t])
			continue
		plus = added(v, t, least)
		row(labels[v], sprintf("%.0f", least ? value[v, t, 1] : median(v, t)), sprintf("%.0f", plus),
			least ? "" : range(v " added", t), ratio(plus, perf), ratio(plus, bpftrace))
	}
}

END {
	for (i = 1; i <= thread_counts; i++) {
		table(threads[i], 0)
		table(threads[i], 1)
	}
}
