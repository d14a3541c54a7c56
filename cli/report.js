// SPDX-License-Identifier: LGPL-2.1-or-later
"use strict";
(() => {
	const data = JSON.parse(document.getElementById("data").textContent);
	const search = document.getElementById("search");
	const box = document.getElementById("events");
	const count = document.getElementById("count");
	const HEIGHT = 22;
	const rows = [...document.querySelectorAll("tr[data-row], li[data-row]")];
	const texts = rows.map((row) => row.textContent.toLowerCase());
	let shown = data.events;

	const text = (number) => data.strings[number];
	const words = (event) => {
		const [ms, kind, op, target, rule, process] = event;
		const when = (ms / 1000).toFixed(3).padStart(10);
		const who = process ? data.processes[process - 1] : "";
		return `${when} s  ${text(kind).padEnd(11)} ${text(op).padEnd(8)} ${text(target)}` +
			(rule ? `  (${text(rule)})` : "") + (who ? `  [${who}]` : "");
	};
	const fill = document.createElement("div");
	fill.style.visibility = "hidden";

	// Only the rows in sight are in the document.
	const draw = () => {
		const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 5);
		const last = Math.min(shown.length, first + Math.ceil(box.clientHeight / HEIGHT) + 10);
		const parts = [fill];
		fill.style.height = `${shown.length * HEIGHT}px`;
		for (let i = first; i < last; i++) {
			const row = document.createElement("div");
			const kind = text(shown[i][1]);
			row.style.top = `${i * HEIGHT}px`;
			row.textContent = words(shown[i]);
			row.title = row.textContent;
			if (kind === "blocked" || kind === "would_block") row.className = "blocked";
			else if (kind === "rewritten") row.className = "rewritten";
			parts.push(row);
		}
		box.replaceChildren(...parts);
	};
	const apply = () => {
		const wanted = search.value.trim().toLowerCase();
		rows.forEach((row, i) => { row.hidden = wanted !== "" && !texts[i].includes(wanted); });
		if (wanted) document.querySelectorAll(".tree details").forEach((part) => { part.open = true; });
		shown = wanted
			? data.events.filter((event) => words(event).toLowerCase().includes(wanted))
			: data.events;
		count.textContent = `${shown.length} of ${data.events.length} records`;
		box.scrollTop = 0;
		draw();
	};
	let timer;
	search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 120); });
	box.addEventListener("scroll", draw, { passive: true });
	addEventListener("resize", draw);
	document.addEventListener("keydown", (event) => {
		if (event.key === "/" && document.activeElement !== search) {
			event.preventDefault();
			search.focus();
		} else if (event.key === "Escape" && document.activeElement === search) {
			search.value = "";
			apply();
		}
	});
	document.getElementById("all").hidden = false;
	search.hidden = false;
	apply();
})();
