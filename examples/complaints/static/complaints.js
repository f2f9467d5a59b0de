// The list of complaints, and one of them with what may be done to it.
import {call, get, post} from "./api.js";
import {badge, choice, field, form, h, row, table, when, words} from "./dom.js";

const CATEGORIES = ["billing", "service", "product", "other"].map(one => [one, words(one)]);
const STATES = [["", "All"], ...["filed", "assigned", "reopened", "resolved"].map(one => [one, words(one)])];
let wanted = "";

const listed = before => get(`/complaints?${new URLSearchParams({...(wanted && {status: wanted}), ...(before && {before})})}`);
const cells = one => [h("a", {href: `#/complaints/${one.id}`}, one.title), badge(one.status), words(one.category),
  one.account || "–", one.assigned_to_name ?? "Nobody yet", when(one.filed_at)];

export async function all(page) {
  const {items, next, account_label: label} = await listed();
  const filter = choice("status", STATES, wanted);
  filter.addEventListener("change", async () => {
    wanted = filter.value;
    await all(page);
    document.querySelector("select[name=status]").focus();
  });
  const caption = page.can("read everybody's complaints") ? "Everybody's complaints" : "Your complaints";
  const headings = ["What", "Status", "Category", label, "With", "Filed"];
  const list = table(caption, headings, items.map(cells));
  page.show("Complaints", page.can("file a complaint") && filing(page, label),
    h("div", {class: "bar"}, field("Show", filter)),
    items.length ? list : h("p", {class: "empty"}, wanted ? "None is in this state." : "There is no complaint yet."),
    next && older(list.querySelector("tbody"), headings, next));
}

function older(body, headings, next) {
  return h("button", {type: "button", class: "quiet", onclick: async event => {
    const button = event.currentTarget, found = await listed(next);
    body.append(...found.items.map(one => row(headings, cells(one))));
    button.replaceWith(...(found.next ? [older(body, headings, found.next)] : []));
  }}, "Show older ones");
}

function filing(page, label) {
  const parts = [field("In a few words", h("input", {name: "title", required: true, minlength: 3, maxlength: 140})),
    field("What happened", h("textarea", {name: "body", required: true, rows: 4, maxlength: 4000})),
    h("div", {class: "pair"}, field("About", choice("category", CATEGORIES, "service")),
      field(label, h("input", {name: "account", maxlength: 40}), "If it is about one, such as ACC-1042."))];
  const made = form("File a complaint", parts, "File it", async values => {
    const found = await post("/complaints", values);
    page.say(`Filed as number ${found.id}.`);
    location.hash = `#/complaints/${found.id}`;
  });
  return h("details", {class: "card"}, h("summary", {}, "File a complaint"), made);
}

export async function one(page, number) {
  const path = `/complaints/${encodeURIComponent(number)}`;
  const found = await get(path);
  const account = found.account && ` · account ${found.account}`;
  const holder = found.assigned_to_name && ` · with ${found.assigned_to_name}`;
  page.show(found.title,
    h("p", {class: "facts"}, badge(found.status), ` ${words(found.category)} · number ${found.id}`, account,
      ` · filed by ${found.filed_by_name}`, holder),
    h("div", {class: "pair left"},
      h("div", {}, h("p", {class: "body"}, found.body), h("h2", {}, "History"), history(found.history),
        h("p", {}, h("a", {href: "#/complaints"}, "All complaints"))),
      h("div", {}, await actions(page, found, path))));
}

const history = items => h("ol", {class: "history"}, items.map(item => h("li", {},
  h("p", {}, h("strong", {}, words(item.event)), ` by ${item.actor}, `, when(item.happened_at)),
  item.note && h("p", {class: "body"}, item.note))));

async function actions(page, found, path) {
  const act = (title, parts, send, said) => h("section", {class: "card"}, h("h2", {}, title),
    form(title, parts, title, async values => { await send(values); page.say(said); await one(page, found.id); }));
  const note = (title, label, name, said) => act(title,
    field(label, h("textarea", {name: "note", required: true, rows: 3, maxlength: 4000})),
    values => post(`${path}/${name}`, values), said);
  const isOpen = found.status !== "resolved";
  const isTheirs = found.assigned_to === page.me.id || page.me.role === "manager";
  const mayAssign = page.can("assign a complaint");
  return [
    mayAssign && isOpen && await assigning(act, found, path),
    page.can("resolve a complaint") && found.status === "assigned" && isTheirs && note("Resolve", "How", "resolve", "Resolved."),
    page.can("reopen a complaint") && !isOpen && note("Reopen", "Why", "reopen", "Reopened."),
    page.can("write a note") && note("Add a note", "Note", "notes", "Added."),
    mayAssign && act("Correct the account", field("Account", h("input", {name: "account", value: found.account, maxlength: 40})),
      values => call("PUT", `${path}/account`, values), "Corrected."),
  ];
}

async function assigning(act, found, path) {
  const people = (await get("/complaints/assignees")).map(person => [String(person.id), person.name]);
  return act("Assign", field("To", choice("assignee", people, String(found.assigned_to))),
    values => post(`${path}/assign`, {assignee: Number(values.assignee)}), "Assigned.");
}
