// Who is signed in, and the dialog that signs people in and up.

import { call, remember, user } from "/api.js";
import { make } from "/dom.js";

const dialog = document.getElementById("sign");
const form = dialog.querySelector("form");
const error = dialog.querySelector(".error");

export function askToSignIn() {
  error.hidden = true;
  dialog.showModal();
}

export function showAccount() {
  const box = document.getElementById("account");
  if (!user()) return box.replaceChildren(make("button", { onclick: askToSignIn }, "Sign in"));
  box.replaceChildren(make("span", {}, user().name), make("button", { class: "quiet", onclick: () => remember(null) }, "Sign out"));
}

form.addEventListener("submit", async (event) => {
  const how = event.submitter?.value ?? "login";
  if (how === "cancel") return;
  event.preventDefault();
  const { name, password } = Object.fromEntries(new FormData(form));
  try {
    remember(await call("POST", `/auth/${how}`, { name, password }));
    form.reset();
    dialog.close();
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
  }
});
