// SPDX-License-Identifier: GPL-2.0-or-later
// Zoom, search and keys of a flame graph. What it shows it reads from the picture, as text and never as markup.
"use strict";
(function () {
	const chart = document.currentScript.ownerSVGElement;
	const details = chart.querySelector(".details");
	const hint = details.textContent + " A click or Enter zooms in, Escape out; arrows go along.";

	// Outer frames come before those inside, left ones before right ones. Positions are integers, millionths of a per
	// cent, so that they compare exactly.
	const frames = Array.from(chart.querySelectorAll(".frames > g"), (g) => {
		const box = g.querySelector("svg");
		const position = (attribute) => Math.round(parseFloat(box.getAttribute(attribute)) * 1e6);
		const title = g.querySelector("title").textContent.split("\n");
		return {
			g, box,
			name: title[0],
			details: title.join(" \u2014 "),
			text: g.querySelector("text"),
			x: position("x"),
			end: position("x") + position("width"),
			y: parseInt(box.getAttribute("y"), 10),
			shown: true,
		};
	});
	const frameOf = new Map(frames.map((frame) => [frame.g, frame]));
	const root = frames[0];
	let zoomed = root;

	function element(namespace, name, parent, attributes) {
		const made = document.createElementNS(namespace, name);
		for (const key in attributes)
			made.setAttribute(key, attributes[key]);
		return parent.appendChild(made);
	}
	const html = (name, parent, attributes) => element("http://www.w3.org/1999/xhtml", name, parent, attributes);
	const svg = (name, parent, attributes) => element("http://www.w3.org/2000/svg", name, parent, attributes);

	// --- text in boxes

	const columnWidth = (function () {
		const probe = svg("text", svg("g", chart, {}), {});
		probe.textContent = "0".repeat(100);
		const width = probe.getComputedTextLength() / 100;
		probe.parentNode.remove();
		return width || 6.7;
	})();

	function label(frame, width) {
		const columns = Math.floor((width - 6) / columnWidth);
		if (columns < 3) {
			if (frame.text)
				frame.text.textContent = "";
			return;
		}
		if (!frame.text)
			frame.text = svg("text", frame.box, { x: 3, y: 12.5 });
		const name = Array.from(frame.name.slice(0, 4 * columns)); // by characters, not by halves of them
		frame.text.textContent = name.length > columns ? name.slice(0, columns - 1).join("") + "\u2026" : frame.name;
	}

	function labelAll() {
		const width = chart.getBoundingClientRect().width / (zoomed.end - zoomed.x);
		for (const frame of frames)
			if (frame.shown)
				label(frame, (Math.min(frame.end, zoomed.end) - Math.max(frame.x, zoomed.x)) * width);
	}

	// --- zoom: the frame and those around it as wide as the window, those inside in proportion

	function zoom(frame) {
		zoomed = frame;
		for (const f of frames) {
			const outer = f.y < frame.y && f.x <= frame.x && f.end >= frame.end;
			f.shown = outer || (f.y >= frame.y && f.x >= frame.x && f.end <= frame.end && f.end > f.x);
			f.g.style.display = f.shown ? "" : "none";
			f.g.classList.toggle("outer", outer);
			if (!f.shown)
				continue;
			const scale = 100 / (frame.end - frame.x);
			f.box.setAttribute("x", outer ? "0%" : (f.x - frame.x) * scale + "%");
			f.box.setAttribute("width", outer ? "100%" : (f.end - f.x) * scale + "%");
		}
		reset.hidden = frame === root;
		labelAll();
		search();
	}

	// --- search: the share is that of what is zoomed, and counts what is inside a match once

	function matcher(term) {
		try {
			return new RegExp(term, "i");
		} catch (error) {
			return { test: (name) => name.toLowerCase().includes(term.toLowerCase()) };
		}
	}

	function search() {
		const term = input.value;
		const pattern = matcher(term);
		let sum = 0, end = -1;
		for (const frame of frames) {
			const match = term !== "" && frame !== root && pattern.test(frame.name);
			frame.g.classList.toggle("match", match);
			if (!match || !frame.shown || frame.y < zoomed.y || frame.x < end)
				continue;
			sum += frame.end - frame.x;
			end = frame.end;
		}
		const share = (100 * sum) / (zoomed.end - zoomed.x);
		matched.textContent = term === "" ? "" : "matched: " + share.toFixed(1) + "%";
	}

	// --- keys

	function around(frame) {
		return frames.filter((f) => f.shown && f.y < frame.y && f.x <= frame.x && f.end >= frame.end).pop();
	}

	function inside(frame) {
		const next = frames.filter((f) => f.shown && f.y > frame.y && f.x >= frame.x && f.end <= frame.end);
		return next.filter((f) => f.y === next[0].y).sort((a, b) => b.end - b.x - (a.end - a.x))[0];
	}

	function beside(frame, step) {
		const row = frames.filter((f) => f.shown && f.y === frame.y);
		return row[row.indexOf(frame) + step];
	}

	const moves = {
		ArrowUp: around,
		ArrowDown: inside,
		ArrowLeft: (frame) => beside(frame, -1),
		ArrowRight: (frame) => beside(frame, 1),
	};

	function focus(frame) {
		for (const f of frames)
			f.g.setAttribute("tabindex", f === frame ? "0" : "-1");
		frame.g.focus();
	}

	function frameKey(event) {
		const frame = frameOf.get(event.target);
		if (!frame || event.ctrlKey || event.metaKey || event.altKey)
			return;
		if (event.key === "Enter" || event.key === " ")
			zoom(frame);
		else if (moves[event.key])
			focus(moves[event.key](frame) || frame);
		else
			return;
		event.preventDefault();
	}

	function windowKey(event) {
		const find = (event.ctrlKey || event.metaKey) && event.key === "f";
		if (document.activeElement === input ? event.key === "Escape" : event.key === "Escape" && input.value !== "") {
			input.value = "";
			input.blur();
			search();
		} else if (event.key === "Escape") {
			zoom(root);
		} else if ((find || event.key === "/") && document.activeElement !== input) {
			event.preventDefault(); // in the box, Ctrl-F is the browser's again
			input.focus();
			input.select();
		}
	}

	// --- what is there only when scripts run

	const holder = svg("foreignObject", chart, { x: "100%", y: 6, width: 430, height: 30,
						     transform: "translate(-440 0)" });
	const tools = html("div", holder, { class: "tools" });
	const matched = html("output", tools, {});
	const reset = html("button", tools, { type: "button", hidden: "" });
	reset.textContent = "Reset zoom";
	const input = html("input", tools, { type: "search", placeholder: "Search (Ctrl-F)",
					     "aria-label": "Search names, by regular expression" });

	input.addEventListener("input", search);
	reset.addEventListener("click", () => zoom(root));
	chart.addEventListener("keydown", frameKey);
	if (document.documentElement === chart) // not the keys of a page that it is part of
		window.addEventListener("keydown", windowKey);
	let redraw = 0;
	window.addEventListener("resize", () => {
		cancelAnimationFrame(redraw);
		redraw = requestAnimationFrame(labelAll);
	});
	const group = (event) => frameOf.get(event.target.closest(".frames > g"));
	chart.addEventListener("click", (event) => {
		const frame = group(event);
		if (frame)
			zoom(frame);
	});
	for (const kind of ["mouseover", "focusin"])
		chart.addEventListener(kind, (event) => {
			const frame = group(event);
			details.textContent = frame ? frame.details : hint;
		});
	for (const frame of frames) // one of them is in the order of tabs, and the arrows go on from there
		frame.g.setAttribute("tabindex", frame === root ? "0" : "-1");
	details.textContent = hint;
	labelAll();
})();
