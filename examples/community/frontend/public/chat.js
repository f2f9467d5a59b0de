// The chat room. A lost connection is made again by itself, and what was said meanwhile is fetched.

import { call, user } from "/api.js";
import { make, notice, when } from "/dom.js";

const list = document.getElementById("messages");
const state = document.getElementById("chat-state");
const form = document.getElementById("say");
let socket = null;
let newest = 0;
let tries = 0;
let waiting;

export async function startChat() {
  clearTimeout(waiting);
  const old = socket;
  socket = null;
  old?.close();
  form.hidden = !user();
  document.getElementById("say-hint").hidden = Boolean(user());
  try {
    if (user()) await open();
    else show("Read only", false);
    await catchUp();
  } catch {
    again();
  }
}

async function open() {
  const { ticket } = await call("POST", "/chat/ticket");
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws/chat?ticket=${encodeURIComponent(ticket)}`);
  socket = mine;
  mine.onopen = () => {
    tries = 0;
    show("Live", true);
    catchUp().catch(() => {});
  };
  mine.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.error) notice(message.error);
    else add(message);
  };
  mine.onclose = () => {
    if (socket === mine) again();
  };
}

async function catchUp() {
  for (const message of await call("GET", `/chat/messages?after=${newest}`)) add(message);
}

// The first try comes at once, so that nobody notices a deploy; later ones wait up to 15 s.
function again() {
  show("Connecting", false);
  waiting = setTimeout(startChat, Math.min(15000, 250 * 2 ** tries++) * (0.5 + Math.random()));
}

function add(message) {
  if (message.id <= newest) return;
  newest = message.id;
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const isMine = user()?.name === message.author;
  list.append(make("li", { class: isMine ? "mine" : null }, make("b", {}, message.author), `${message.text} `, when(message.created_at, "clock")));
  if (isAtEnd || isMine) list.scrollTop = list.scrollHeight;
}

function show(text, isLive) {
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("live", isLive);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN) return notice("Not connected; your message is still in the box.");
  socket.send(JSON.stringify({ text: form.text.value }));
  form.text.value = "";
});
