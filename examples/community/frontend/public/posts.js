// The list of posts and one post with its comments.

import { call, user } from "/api.js";
import { busy, make, notice, when } from "/dom.js";
import { askToSignIn } from "/account.js";

export async function showList(main, sort) {
  const list = make("div", { class: "list" });
  const more = make("button", { class: "quiet", hidden: true }, "Show older posts");
  let before = null;
  const load = async () => {
    const page = await call("GET", `/posts?sort=${sort}${before ? `&before=${before}` : ""}`);
    list.append(...page.items.map((post) => card(post, false)));
    before = page.next_before;
    more.hidden = before === null;
    if (!list.children.length) list.append(make("p", { class: "card empty" }, "Nothing here yet. Write the first post."));
  };
  more.addEventListener("click", () => busy(more, load));

  await load();
  main.replaceChildren(bar(sort), writing(), list, more);
}

export async function showPost(main, id) {
  const post = await call("GET", `/posts/${id}`);
  const thread = make("ol", { class: "thread" }, ...post.thread.map(comment));
  main.replaceChildren(
    make("a", { href: "#/" }, "← All posts"),
    card(post, true),
    make("section", { class: "card write", "aria-labelledby": "comments" },
      make("h2", { id: "comments" }, "Comments"), thread, answering(id, thread)),
  );
}

function bar(sort) {
  const tab = (name, text) => make("a", { href: `#/${name}`, "aria-current": name === sort ? "page" : null }, text);
  return make("div", { class: "bar" }, make("h1", {}, "Posts"),
    make("nav", { class: "tabs", "aria-label": "Order" }, tab("new", "Newest"), tab("top", "Best liked")));
}

function writing() {
  if (!user()) return make("p", { class: "card" }, make("button", { class: "quiet", onclick: askToSignIn }, "Sign in to write a post"));
  const title = make("input", { id: "title", required: true, minlength: 3, maxlength: 140, placeholder: "A title that says it" });
  const text = make("textarea", { id: "body", maxlength: 10000 });
  const button = make("button", {}, "Publish");
  const submit = (event) => {
    event.preventDefault();
    busy(button, async () => {
      const post = await call("POST", "/posts", { title: title.value, body: text.value });
      location.hash = `#/post/${post.id}`;
    });
  };
  const more = make("div", { class: "write", hidden: true }, make("label", {}, "Text", text), make("div", { class: "row" }, button));
  title.addEventListener("focus", () => (more.hidden = false));
  return make("form", { class: "card write", onsubmit: submit }, make("label", {}, "Write a post", title), more);
}

function card(post, isWhole) {
  const name = isWhole ? "h1" : "h2";
  const title = isWhole ? post.title : make("a", { href: `#/post/${post.id}` }, post.title);
  const count = `${post.comments} ${post.comments === 1 ? "comment" : "comments"}`;
  const body = post.body ? make("p", { class: isWhole ? "text" : "text short" }, post.body) : null;
  const parts = make("div", {}, make(name, {}, title), make("p", { class: "by" }, `${post.author} · `, when(post.created_at), ` · ${count}`), body);
  if (isWhole && user() && (user().name === post.author || user().is_moderator)) parts.append(removing(post));
  return make("article", { class: "card post" }, votes(post), parts);
}

function removing(post) {
  const button = make("button", { class: "link" }, "Delete");
  button.addEventListener("click", () => {
    if (!confirm("Delete this post and its comments?")) return;
    busy(button, async () => {
      await call("DELETE", `/posts/${post.id}`);
      location.hash = "#/";
    });
  });
  return button;
}

function votes(post) {
  const total = make("output", { "aria-label": "Score" }, String(post.score));
  const up = make("button", { "aria-label": `Vote for ${post.title}` }, "▲");
  const down = make("button", { "aria-label": `Vote against ${post.title}` }, "▼");
  const show = (seen) => {
    post = { ...post, ...seen };
    total.textContent = post.score;
    up.setAttribute("aria-pressed", post.my_vote === 1);
    down.setAttribute("aria-pressed", post.my_vote === -1);
  };
  const vote = (button, value) => button.addEventListener("click", () => {
    if (!user()) return askToSignIn();
    busy(button, async () => show(await call("PUT", `/posts/${post.id}/vote`, { value: post.my_vote === value ? 0 : value })));
  });
  vote(up, 1);
  vote(down, -1);
  show({});
  return make("div", { class: "votes" }, up, total, down);
}

function comment(one) {
  return make("li", {}, make("p", { class: "by" }, `${one.author} · `, when(one.created_at)), make("p", { class: "text" }, one.body));
}

function answering(id, thread) {
  if (!user()) return make("div", {}, make("button", { class: "quiet", onclick: askToSignIn }, "Sign in to comment"));
  const text = make("textarea", { required: true, maxlength: 2000 });
  const button = make("button", {}, "Comment");
  const submit = (event) => {
    event.preventDefault();
    busy(button, async () => {
      thread.append(comment(await call("POST", `/posts/${id}/comments`, { body: text.value })));
      text.value = "";
      notice("Your comment is there.");
    });
  };
  return make("form", { class: "write", onsubmit: submit }, make("label", {}, "Your comment", text), make("div", { class: "row" }, button));
}
