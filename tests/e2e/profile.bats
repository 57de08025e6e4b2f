#!/usr/bin/env bats
# Profiles as other programs read them: pprof, a decoder that shares no code with memtrace, a browser. The profiles are
# those of tests/unit/test_profile.c, so no privilege is needed.

load lib

setup_file() {
	export PROFILE_DIR=$BATS_FILE_TMPDIR
	"${PROGS%/progs}/unit/test_profile" >"$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log"
		return 1
	}
}

setup() {
	common_setup
	cd "$PROFILE_DIR" || return
}
teardown() { common_teardown; }

# pprof ARGS...: that of Go, which wants a home
pprof() {
	HOME=$BATS_TEST_TMPDIR PPROF_TMPDIR=$BATS_TEST_TMPDIR go tool pprof "$@" 2>"$BATS_TEST_TMPDIR/pprof"
}

# chromium_at ADDRESS OPTION...: headless, its complaints about the machine left out
chromium_at() {
	HOME=$BATS_TEST_TMPDIR timeout 60 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1200,800 \
		--user-data-dir="$BATS_TEST_TMPDIR/browser" "${@:2}" "$1" 2>/dev/null 3>&-
}

# browse FILE SCRIPT: a copy of the picture opened in a browser, with a script added; prints what that gives to say()
browse() {
	local page=$BATS_TEST_TMPDIR/page.svg

	sed '$d' "$1" >"$page"
	cat >>"$page" <<-EOF
		<script><![CDATA[
		const said = [], say = (what) => said.push(what);
		const frames = Array.from(document.querySelectorAll('.frames > g'));
		const name = (g) => g.querySelector('title').textContent.split('\\n')[0];
		const box = (g) => g.querySelector('svg').getBoundingClientRect();
		const width = (g) => Math.round(box(g).width);
		const shown = () => frames.filter((g) => g.style.display !== 'none');
		const named = (text) => frames.find((g) => name(g) === text);
		const send = (to, event) => to.dispatchEvent(event);
		const click = (g) => send(g.querySelector('rect'), new MouseEvent('click', { bubbles: true }));
		const key = (to, name, more) => send(to, new KeyboardEvent('keydown', { key: name, bubbles: true, ...more }));
		try { $2 } catch (error) { say('error: ' + error); }
		const result = document.createElementNS('http://www.w3.org/2000/svg', 'desc');
		result.textContent = ['SAID:', ...said, 'END'].join('\\n');
		document.documentElement.append(result);
		]]></script>
		</svg>
	EOF
	chromium_at "file://$page" --dump-dom | sed -n '/<desc>SAID:$/,/^END/p' |
		sed '1d; $d; s/ *$//; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
}

@test "pprof finds the totals and the program" {
	local name

	for name in plain hostile large; do
		pprof -top "$name.pb.gz" >top || fail "$(cat "$BATS_TEST_TMPDIR/pprof")"
		matches "total of $name" "$(cat top)" "of $(cat $name.total) total"
		pprof -raw "$name.pb.gz" >raw || fail "$(cat "$BATS_TEST_TMPDIR/pprof")"
		equal "samples of $name" "$(awk '/^Samples/ { on = 1 } /^Locations/ { on = 0 }
			on && $1 ~ /^[0-9]+$/ { sum += $1 } on && $1 ~ /^[0-9]+:$/ { sum += $1 } END { print sum }' raw)" "$(cat $name.total)"
	done
	pprof -top -sample_index=memory plain.pb.gz >top
	grep -q 'of 60kB total' top || fail "$(cat top)"
	pprof -top plain.pb.gz >top
	grep -qx 'File: prog' top
	grep -q 'std::copy<int> (inline)' top
}

@test "a decoder of its own finds the stacks that the folded lines tell" {
	local name

	for name in plain large; do
		python3 "$TOP/tests/e2e/pprof_decode.py" "$name.pb.gz" >decoded
		equal "unsound in $name" "$(jq -r '.bad[]' decoded)" ""
		equal "total of $name" "$(jq .totals.faults decoded)" "$(cat $name.total)"
		# The same stacks, but for the suffixes; and pprof has truncated stacks and zeroes, too.
		jq -r '.stacks | to_entries[] | select(.value > 0) | "\(.key) \(.value)"' decoded | LC_ALL=C sort >want
		sed 's/_\[[ik]\]//g' "$name.folded" | awk '{ n = $NF; sub(/ [0-9]+$/, ""); sum[$0] += n }
			END { for (s in sum) print s, sum[s] }' | LC_ALL=C sort >got
		diff want got || fail "$name: the stacks differ"
	done
	equal bytes "$(python3 "$TOP/tests/e2e/pprof_decode.py" plain.pb.gz | jq .totals.memory)" 61441
	python3 "$TOP/tests/e2e/pprof_decode.py" hostile.pb.gz | jq -e '.bad == []' >/dev/null
}

@test "folded lines add up, and no line is there twice" {
	local name

	for name in plain hostile large; do
		equal "total of $name" "$(awk '{ sum += $NF } END { print sum }' $name.folded)" "$(cat $name.total)"
		equal "doubles in $name" "$(sed 's/ [0-9]*$//' $name.folded | sort | uniq -d)" ""
		check_clean $name.folded
	done
}

@test "the flame graph is XML, and needs nothing from elsewhere" {
	local name

	for name in plain hostile large; do
		python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])' $name.svg || fail "$name.svg is not XML"
	done
	equal "references" "$(grep -Eo '(href|src|url\(|@import|https?:[^"]*)[^ ]*' large.svg | grep -v 'http://www.w3.org/' | head)" ""
}

@test "browser: children are within their parent, and widths add up" {
	browse large.svg "
		let bad = 0;
		const boxes = frames.map(box), rows = new Map();
		for (const b of boxes)
			rows.set(Math.round(b.y), [...(rows.get(Math.round(b.y)) || []), b]);
		for (const b of boxes) {
			const inside = (rows.get(Math.round(b.y) + 18) || []).filter((c) => c.left >= b.left - 0.01 && c.right <= b.right + 0.01);
			if (inside.reduce((sum, c) => sum + c.width, 0) > b.width + 0.1)
				bad++;
		}
		say(bad + ' of ' + (frames.length > 200 ? 'many' : 'few') + ', ' + width(frames[0]));" >found
	equal "frames whose children are too wide" "$(cat found)" "0 of many, 1200"
}

@test "browser: a click zooms in, a click on a caller out; keys do, too" {
	browse plain.svg "
		const main = named('main'), memset = named('memset');
		say(width(memset));
		click(memset);
		say([memset, main, frames[0]].map(width) + ' ' + shown().map(name));
		click(main);
		say([memset, main].map(width));
		document.querySelector('button').click();
		say(width(memset) + ' ' + (shown().length === frames.length));
		key(memset, 'Enter');
		say(width(memset));
		key(window, 'Escape');
		say(width(memset));
		key(main, 'ArrowDown');
		say(name(document.activeElement));
		send(memset, new MouseEvent('mouseover', { bubbles: true }));
		say(document.querySelector('.details').textContent);" >found
	diff found - <<-'EOF'
		720
		1200,1200,1200 Page faults of prog,prog,_start,main,memset
		982,1200
		720 true
		1200
		720
		memset
		memset — 9 faults, 60.0% of all, 81.8% of its parent — in libc.so.6
	EOF
}

@test "browser: search marks what matches and tells its share" {
	browse plain.svg "
		const input = document.querySelector('input'), output = document.querySelector('output');
		const find = (text) => {
			input.value = text;
			send(input, new Event('input'));
			say(output.textContent + ' ' + Array.from(document.querySelectorAll('.match')).map(name));
		};
		key(window, 'f', { ctrlKey: true });
		say(document.activeElement === input);
		find('MEMSET');
		find('^(main|fill)$');
		find('copy<');
		find('(');
		find('no such');
		click(named('main'));
		find('memset');
		key(window, 'Escape');
		say(output.textContent + '.');" >found
	diff found - <<-'EOF'
		true
		matched: 60.0% memset
		matched: 73.3% main,fill
		matched: 13.3% std::copy<int>
		matched: 0.0%
		matched: 0.0%
		matched: 81.8% memset
		.
	EOF
}

@test "browser: a name is text, whatever it says" {
	local frames

	frames=$(grep -c '<svg x=' hostile.svg)
	browse hostile.svg "
		for (const g of frames) {
			click(g);
			send(g, new MouseEvent('mouseover', { bubbles: true }));
		}
		say([window.pwned === undefined, document.querySelectorAll('script').length, document.querySelectorAll('[onload]').length,
			frames.length, frames.some((g) => name(g).startsWith('</title>'))]);" >found
	equal "alone" "$(cat found)" "true,2,0,$frames,true"
	# within a page, where another parser reads it
	{
		echo '<!DOCTYPE html><title>not run</title>'
		sed 1d hostile.svg
		echo "<script>document.title = [window.pwned === undefined, document.querySelectorAll('script').length,
			document.querySelectorAll('.frames > g').length]</script>"
	} >page.html
	equal "in a page" "$(chromium_at "file://$PWD/page.html" --dump-dom | sed -n 's/.*<head><title>\([^<]*\)<.*/\1/p')" "true,2,$frames"
}

@test "browser: without scripts it is a picture; light and dark" {
	local mode

	echo '<!DOCTYPE html><body style="margin: 0"><img src="large.svg">' >page.html # an image runs no script
	for mode in 0 1; do
		chromium_at "file://$PWD/page.html" --blink-settings=preferredColorScheme=$mode --screenshot="$PWD/$mode.png" >/dev/null
		at_least "bytes of the picture" "$(stat -c %s $mode.png)" 20000
	done
	! cmp -s 0.png 1.png || fail "dark is as light"
}
