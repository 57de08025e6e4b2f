# table.awk - medians of the measurements, beside each other.
#
# Input: lines of
#	order VARIANT LABEL...		the rows, in the order in which they are printed
#	ns VARIANT THREADS NS		one measurement
# Added is over the median untraced. Ratios are of added over added; bpftrace's is the cheaper of its two.

$1 == "order" {
	variants[++rows] = $2
	label = ""
	for (i = 3; i <= NF; i++)
		label = label (i > 3 ? " " : "") $i
	labels[$2] = label
}

$1 == "ns" {
	count[$2, $3]++
	value[$2, $3, count[$2, $3]] = $4
	if (!seen[$3]++)
		threads[++thread_counts] = $3
}

# Insertion sort: a handful of values.
function sort_values(variant, t,    i, j, v) {
	for (i = 2; i <= count[variant, t]; i++) {
		v = value[variant, t, i]
		for (j = i - 1; j >= 1 && value[variant, t, j] > v; j--)
			value[variant, t, j + 1] = value[variant, t, j]
		value[variant, t, j + 1] = v
	}
}

function median(variant, t,    n) {
	n = count[variant, t]
	if (n % 2)
		return value[variant, t, (n + 1) / 2]
	return (value[variant, t, n / 2] + value[variant, t, n / 2 + 1]) / 2
}

function added(variant, t) {
	return median(variant, t) - median("untraced", t)
}

# The cheaper of two variants; what was not measured is not compared with.
function reference(one, other, t) {
	if (!count[one, t])
		return count[other, t] ? added(other, t) : 0
	if (!count[other, t] || added(one, t) < added(other, t))
		return added(one, t)
	return added(other, t)
}

function ratio(variant, base, t) {
	if (variant == "untraced" || base <= 0)
		return "-"
	return sprintf("%.2f", added(variant, t) / base)
}

function table(t,    i, v, n, perf, bpftrace, plus) {
	perf = reference("perf", "perf", t)
	bpftrace = reference("bpftrace-sw", "bpftrace-tp", t)
	printf "\n%d thread%s:\n\n", t, (t > 1 ? "s" : "")
	printf "| %-34s | %8s | %11s | %8s | %6s | %10s |\n", "", "ns/fault", "least-most", "added ns", "x perf", "x bpftrace"
	printf "|%s|%s|%s|%s|%s|%s|\n", "------------------------------------", "---------:", "------------:", \
		"---------:", "-------:", "-----------:"
	for (i = 1; i <= rows; i++) {
		v = variants[i]
		n = count[v, t]
		if (!n)
			continue
		plus = v == "untraced" ? "-" : sprintf("%.0f", added(v, t))
		printf "| %-34s | %8.0f | %11s | %8s | %6s | %10s |\n", labels[v], median(v, t), \
			value[v, t, 1] "-" value[v, t, n], plus, ratio(v, perf, t), ratio(v, bpftrace, t)
	}
}

END {
	for (i = 1; i <= thread_counts; i++) {
		for (r = 1; r <= rows; r++)
			sort_values(variants[r], threads[i])
		table(threads[i])
	}
}
