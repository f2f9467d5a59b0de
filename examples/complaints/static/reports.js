// Figures for managers.
import {get} from "./api.js";
import {h, table, words} from "./dom.js";

const figure = (value, text) => h("div", {class: "figure"}, h("dt", {}, text), h("dd", {}, String(value)));
const counts = (title, first, rows) => table(title, [first, "All", "Open"],
  rows.map(one => [first === "Person" && one.name !== "nobody" ? one.name : words(one.name), String(one.count), String(one.open)]));

function duration(hours) {
  if (hours == null) return "–";
  return hours < 1 ? "< 1 h" : hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
}

export async function reports(page) {
  const found = await get("/reporting/summary");
  page.show("Reports",
    h("dl", {class: "figures"}, figure(found.total, "Complaints"), figure(found.open, "Open"),
      figure(found.reopened, "Reopened"), figure(duration(found.hours_to_resolve), "Median to resolve")),
    h("div", {class: "pair"}, counts("By status", "Status", found.by_status),
      counts("By category", "Category", found.by_category)),
    counts("By person", "Person", found.by_assignee),
    h("p", {}, h("a", {class: "button", href: "/reporting/complaints.csv", download: true}, "Download as CSV")));
}
