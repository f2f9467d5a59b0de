// Builds elements. Text always goes in as text, so nothing that somebody wrote can become markup.

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export function when(text, style = "long") {
  const date = new Date(text);
  const minutes = Math.round((Date.now() - date) / 60000);
  const time = make("time", { datetime: text, title: date.toLocaleString() });
  if (style === "clock") time.textContent = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  else if (minutes < 1) time.textContent = "just now";
  else if (minutes < 60) time.textContent = `${minutes} min ago`;
  else if (minutes < 1440) time.textContent = `${Math.round(minutes / 60)} h ago`;
  else time.textContent = date.toLocaleDateString();
  return time;
}

let hiding;
export function notice(text) {
  const box = document.getElementById("notice");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (box.hidden = true), 5000);
}

// Runs what a click asked for; the button cannot be pressed twice meanwhile.
export async function busy(button, work) {
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    notice(error.message);
  } finally {
    if (button) button.disabled = false;
  }
}
