// Elements from data. Text is set as text, never as HTML.
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter(one => one != null && one !== false && one !== ""));
  return made;
}

let fields = 0;

export function field(label, input, hint) {
  input.id = `field-${++fields}`;
  if (hint) input.setAttribute("aria-describedby", `${input.id}-hint`);
  return h("div", {class: "field"}, h("label", {for: input.id}, label), input,
    hint && h("p", {class: "hint", id: `${input.id}-hint`}, hint));
}

export const choice = (name, options, chosen) => h("select", {name},
  options.map(([value, text]) => h("option", {value, selected: value === chosen}, text)));

// A form that says what went wrong, beside itself and to a screen reader, and cannot be sent twice.
export function form(title, parts, label, action) {
  const problem = h("p", {class: "problem", role: "alert"});
  const button = h("button", {type: "submit"}, label);
  const made = h("form", {"aria-label": title}, parts, problem, button);
  made.addEventListener("submit", async event => {
    event.preventDefault();
    problem.textContent = "";
    button.disabled = true;
    try {
      await action(Object.fromEntries(new FormData(made)));
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });
  return made;
}

// On a phone a row of a wide table becomes a card (style.css), and each cell says what it is. Roles are given, because
// a browser forgets them when the display of a row changes.
export const row = (headings, cells) => h("tr", {role: "row"}, cells.map((cell, index) => index
  ? h("td", {role: "cell", "data-heading": headings[index]}, cell)
  : h("th", {role: "rowheader", scope: "row"}, cell)));

export function table(caption, headings, rows) {
  return h("div", {class: headings.length > 3 ? "scroll wide" : "scroll", tabindex: "0", role: "region", "aria-label": caption},
    h("table", {role: "table"}, h("caption", {}, caption),
      h("thead", {role: "rowgroup"}, h("tr", {role: "row"},
        headings.map(one => h("th", {role: "columnheader", scope: "col"}, one)))),
      h("tbody", {role: "rowgroup"}, rows.map(one => row(headings, one)))));
}

export const words = text => text.replaceAll("_", " ").replace(/^./, first => first.toUpperCase());
export const badge = status => h("span", {class: `badge ${status}`}, words(status));
const FORMAT = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});
export const when = text => h("time", {datetime: text}, FORMAT.format(new Date(text)));
