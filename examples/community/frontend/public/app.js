// Shows what the address names: #/new, #/top or #/post/7.

import { call } from "/api.js";
import { showAccount } from "/account.js";
import { startChat } from "/chat.js";
import { make } from "/dom.js";
import { showList, showPost } from "/posts.js";

const main = document.getElementById("main");

async function show() {
  const [, kind, id] = location.hash.match(/^#\/(post|new|top)?(?:\/(\d+))?/) ?? [];
  try {
    if (kind === "post" && id) await showPost(main, id);
    else await showList(main, kind === "top" ? "top" : "new");
    document.title = kind === "post" ? `${main.querySelector("h1").textContent} · Commons` : "Commons";
  } catch (error) {
    const retry = make("button", { class: "quiet", onclick: show }, "Try again");
    main.replaceChildren(make("div", { class: "card empty" }, make("p", {}, error.message), retry));
  }
}

async function showVersion() {
  const { version, environment } = await call("GET", "/version");
  document.getElementById("version").textContent = `Commons, version ${version.slice(0, 12)}`;
  const box = document.getElementById("environment");
  box.hidden = environment === "prod";
  box.textContent = environment;
}

window.addEventListener("hashchange", async () => {
  await show();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
document.addEventListener("user", () => {
  showAccount();
  show();
  startChat();
});
showAccount();
show();
startChat();
showVersion().catch(() => {});
