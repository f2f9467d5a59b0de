// Accounts: onboard somebody, change a role, close an account.
import {call, get, post} from "./api.js";
import {choice, field, form, h, table, words} from "./dom.js";

const ROLES = ["consumer", "help_desk_agent", "support_person", "manager", "system_administrator"]
  .map(role => [role, words(role)]);

export async function people(page) {
  const change = async (person, body, done) => {
    try {
      await call("PATCH", `/admin/users/${person.id}`, body);
      page.say(done);
    } catch (error) {
      page.say(error.message);
    }
    await people(page);
  };
  const found = await get("/admin/users");
  page.show("People",
    table("Everybody", ["Name", "Email", "Role", "Account"], found.map(person => person.id === page.me.id
      ? [person.name, person.email, words(person.role), "You"]
      : [person.name, person.email, roleOf(person, change), stateOf(person, change)])),
    h("section", {class: "card"}, h("h2", {}, "Onboard somebody"), onboarding(page)));
}

function roleOf(person, change) {
  const made = choice("role", ROLES, person.role);
  made.setAttribute("aria-label", `Role of ${person.name}`);
  made.addEventListener("change", () =>
    change(person, {role: made.value}, `${person.name} is now ${words(made.value).toLowerCase()}.`));
  return made;
}

function stateOf(person, change) {
  const [verb, then] = person.is_active ? ["Close", "closed"] : ["Open", "open again"];
  return h("button", {type: "button", class: "quiet", "aria-label": `${verb} the account of ${person.name}`,
    onclick: () => change(person, {is_active: !person.is_active}, `The account of ${person.name} is ${then}.`)}, verb);
}

function onboarding(page) {
  const input = (name, type, more = {}) => h("input", {name, type, required: true, autocomplete: "off", ...more});
  const parts = h("div", {class: "pair even"}, field("Name", input("name", "text", {maxlength: 80})),
    field("Email", input("email", "email")),
    field("First password", input("password", "password", {minlength: 12, autocomplete: "new-password"})),
    field("Role", choice("role", ROLES, "help_desk_agent")));
  return form("Onboard somebody", parts, "Onboard", async values => {
    const made = await post("/admin/onboard", values);
    page.say(`${made.name} can sign in now.`);
    await people(page);
  });
}
