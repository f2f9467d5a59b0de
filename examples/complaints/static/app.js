// Three screens, complaints, reports and people, and the door in front of them.
import {get, post} from "./api.js";
import * as complaints from "./complaints.js";
import {field, form, h, words} from "./dom.js";
import {people} from "./people.js";
import {reports} from "./reports.js";

const main = document.getElementById("main");
const SCREENS = [
  ["complaints", "read complaints", complaints.all],
  ["reports", "read reports", reports],
  ["people", "administer people", people],
];
const page = {me: null, show, say, can: permission => page.me?.permissions.includes(permission)};

function say(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { said.textContent = ""; }, 6000);
}

// Put a screen up and take the focus to its heading, as a new page would.
function show(title, ...parts) {
  const heading = h("h1", {tabindex: "-1"}, title);
  document.title = `${title} · ${document.getElementById("client").textContent}`;
  main.replaceChildren(heading, ...parts.flat().filter(Boolean));
  heading.focus();
}

function frame(allowed, here) {
  const nav = document.getElementById("nav"), who = document.getElementById("who");
  nav.hidden = who.hidden = !page.me;
  if (!page.me) return;
  nav.replaceChildren(...allowed.map(([path]) =>
    h("a", {href: `#/${path}`, "aria-current": here === path ? "page" : null}, words(path))));
  who.replaceChildren(h("span", {}, `${page.me.name}, ${words(page.me.role).toLowerCase()}`),
    h("button", {type: "button", class: "quiet", onclick: leave}, "Sign out"));
}

async function enter(path, values) {
  page.me = await post(path, values);
  history.replaceState(null, "", "#/");
  await route();
}

async function leave() {
  await post("/auth/logout").catch(() => {});
  page.me = null;
  history.replaceState(null, "", "#/");
  await route();
}

function door() {
  const input = (name, type, autocomplete, more = {}) => h("input", {name, type, autocomplete, required: true, ...more});
  const signIn = [field("Email", input("email", "email", "username")),
    field("Password", input("password", "password", "current-password"))];
  const register = [field("Your name", input("name", "text", "name", {maxlength: 80})),
    field("Email", input("email", "email", "username")),
    field("Password", input("password", "password", "new-password", {minlength: 12}),
      "12 characters or more, with three of: small letters, capitals, digits, signs.")];
  show("Tell us what went wrong",
    h("p", {class: "lead"}, "File a complaint, and see who has it and what was done about it."),
    h("div", {class: "pair"},
      h("section", {class: "card"}, h("h2", {}, "Sign in"),
        form("Sign in", signIn, "Sign in", values => enter("/auth/login", values))),
      h("section", {class: "card"}, h("h2", {}, "New here?"),
        form("Open an account", register, "Open an account", values => enter("/auth/register", values)))));
}

async function route() {
  const [name, number] = location.hash.slice(2).split("/");
  const allowed = SCREENS.filter(([, permission]) => page.can(permission));
  const screen = allowed.find(([path]) => path === name) ?? allowed[0];
  frame(allowed, screen?.[0]);
  if (!page.me) return door();
  try {
    await (screen[0] === "complaints" && number ? complaints.one(page, number) : screen[2](page));
  } catch (error) {
    if (error.status === 401) { page.me = null; return route(); }
    show("That did not work", h("p", {class: "problem", role: "alert"}, error.message));
  }
}

async function begin() {
  const {version, client} = await get("/version");
  document.getElementById("version").textContent = version;
  document.getElementById("client").textContent = client;
  page.me = document.cookie.includes("cms_csrf=") ? await get("/auth/me").catch(() => null) : null;
  addEventListener("hashchange", route);
  await route();
}

begin();
