// The service over HTTP. An error becomes an Error whose message is written for a person.

async function call(method, path, body) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The service does not answer. Is it still running?");
  }
  const answer = await response.json();
  if (!response.ok) {
    const error = new Error(answer.error?.message ?? `The service answered ${response.status}.`);
    error.status = response.status;
    throw error;
  }
  return answer;
}

const asked = (path, parameters) => call("GET", `${path}?${new URLSearchParams(parameters)}`);

export const health = () => call("GET", "/readyz");
export const users = (wanted) => asked("/v1/users", wanted);
export const history = (userId, limit) => asked("/v1/history", { user_id: userId, limit });
export const addItem = (item) => call("PUT", "/v1/items", item);

export async function recommend(userId, k) {
  const started = performance.now();
  const answer = await call("POST", "/v1/recommendations", { user_id: userId, k });
  return { ...answer, milliseconds: performance.now() - started };
}

export function send(userId, itemId, feedback, requestId) {
  return call("POST", "/v1/events", {
    event_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    user_id: userId,
    item_id: itemId,
    event_type: feedback,
    request_id: requestId,
  });
}
