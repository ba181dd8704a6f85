// The routes for people, drawn from /openapi.json. Everything is on this machine.

import * as theme from "/page/theme.js";

function element(name, text = "", className = "") {
  return Object.assign(document.createElement(name), { textContent: text, className });
}

const plain = (text) => text.replaceAll("`", "");

function resolve(schema, spec) {
  return schema?.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const parts = schema.oneOf ?? schema.anyOf;
  if (parts) return parts.map(typeOf).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items) || "anything"}`;
  return [schema.type ?? "anything"].flat().join(" or ");
}

function limits(schema) {
  const { minimum, maximum } = schema ?? {};
  return minimum !== undefined && maximum !== undefined ? `, ${minimum}..${maximum}` : "";
}

function table(rows) {
  const body = element("table");
  for (const [name, text] of rows) {
    const row = body.insertRow();
    row.insertCell().append(element("code", name));
    row.insertCell().textContent = text;
  }
  return body;
}

function fieldsOf(schema, spec) {
  const parts = [schema, ...(schema.oneOf ?? schema.anyOf ?? [])].map((part) => resolve(part, spec));
  const { properties = {}, required = [] } = parts.find((part) => part?.properties) ?? {};
  return Object.entries(properties).map(([name, field]) => {
    const needed = required.includes(name) ? ", required" : "";
    return [name, `${typeOf(field)}${limits(field)}${needed}. ${field.description ?? ""}`];
  });
}

function article(path, method, operation, spec) {
  const box = element("article");
  const title = element("h3");
  title.append(element("span", method.toUpperCase(), "method"), element("code", path));
  box.append(title, element("p", plain(operation.description ?? operation.summary ?? "")));
  const parameters = (operation.parameters ?? []).map(({ name, required, schema, description }) =>
    [`?${name}`, `${typeOf(schema)}${limits(schema)}${required ? ", required" : ""}. ${plain(description ?? "")}`]);
  const body = operation.requestBody?.content["application/json"]?.schema;
  const rows = [...parameters, ...(body ? fieldsOf(body, spec) : [])];
  if (rows.length) box.append(table(rows));
  box.append(element("p", `Answers ${Object.keys(operation.responses).join(", ")}`, "quiet"));
  return box;
}

theme.start();
const spec = await (await fetch("/openapi.json")).json();
document.getElementById("about").textContent = plain(spec.info.description);
const groups = new Map();
for (const [path, methods] of Object.entries(spec.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    if (!operation.responses) continue;
    const tag = operation.tags?.[0] ?? "other";
    groups.set(tag, [...(groups.get(tag) ?? []), article(path, method, operation, spec)]);
  }
}
for (const [tag, articles] of groups) {
  document.getElementById("operations").append(element("h2", tag), ...articles);
}
