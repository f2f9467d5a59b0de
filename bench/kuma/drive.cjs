// What a browser does with Uptime Kuma, without drawing it: node drive.cjs setup|open ...
const [what, port, ...words] = process.argv.slice(2);
const { createRequire } = require("node:module");
const { io } = createRequire(process.env.KUMA_PACKAGE + "/package.json")("socket.io-client");
const ACCOUNT = { username: "bench", password: "bench-password-1", token: "" };

const connect = () => io(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true, reconnectionDelay: 200 });
const ask = (socket, ...message) => new Promise((resolve) => socket.emit(...message, resolve));
const greeted = (socket) => new Promise((resolve) => socket.once("info", resolve)); // what is said before is not heard

/** Make the account; print what a browser keeps of a login. */
async function setup() {
  const socket = connect();
  await greeted(socket);
  await ask(socket, "setup", ACCOUNT.username, ACCOUNT.password);
  const { ok, token } = await ask(socket, "login", ACCOUNT);
  if (!ok) throw new Error("no login");
  console.log(token);
  socket.disconnect();
}

/** Open the dashboard: milliseconds until the list is there, and until every monitor has its last beats. */
async function openOnce(token, monitors) {
  const begin = performance.now();
  const socket = connect();
  const told = await new Promise((resolve) => {
    let list = 0, beats = 0;
    socket.on("monitorList", () => { list ||= performance.now() - begin; });
    socket.on("heartbeatList", () => {
      beats += 1;
      if (beats === monitors) resolve({ list, all: performance.now() - begin });
    });
    socket.once("info", () => socket.emit("loginByToken", token, () => {}));
  });
  socket.disconnect();
  return told;
}

/** Open it every so many seconds, one after the other; print each as JSON. */
async function open(token, monitors, every, seconds) {
  const begin = performance.now();
  for (let at = 0; at < seconds; at = (performance.now() - begin) / 1000) {
    console.log(JSON.stringify(await openOnce(token, Number(monitors))));
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, (Math.floor(at / every) + 1) * every * 1000 - (performance.now() - begin))));
  }
}

({ setup, open })[what](...words).catch((error) => { console.error(error); process.exit(1); });
