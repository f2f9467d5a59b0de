/** What went wrong, in words for people, and by field where the API says which. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** The server could not be asked at all. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached. Check your connection and try again.");
    this.name = "Unreachable";
  }
}

const BY_STATUS: Readonly<Record<number, string>> = {
  401: "Your session is over. Please log in again.",
  403: "You may not do that.",
  404: "There is no such thing here any more.",
  429: "Too many tries. Please wait a little.",
};

/** Read the three shapes of the API's errors: {detail}, {error: {code, message}} and {field: [messages]}. */
export function errorOf(status: number, body: unknown): ApiError {
  const plain = BY_STATUS[status] ?? (status >= 500 ? "The server has a problem. Please try again soon." : "That did not work.");
  if (isRecord(body) && isRecord(body.error)) {
    return new ApiError(status, textOf(body.error.message) || plain, textOf(body.error.code));
  }
  if (!isRecord(body) || status >= 500) return new ApiError(status, plain);
  if (typeof body.detail === "string") {
    return new ApiError(status, status === 429 ? waitMessage(body.detail) : body.detail, textOf(body.code));
  }
  const fields: Record<string, string> = {};
  for (const [name, messages] of Object.entries(body)) {
    const text = Array.isArray(messages) ? messages.map(textOf).filter(Boolean).join(" ") : textOf(messages);
    if (text) fields[name] = text;
  }
  const general = fields.non_field_errors ?? "";
  return new ApiError(status, general || (Object.keys(fields).length > 0 ? "Please correct what is marked." : plain), "", fields);
}

export function messageOf(error: unknown): string {
  return error instanceof ApiError || error instanceof Unreachable ? error.message : "Something went wrong.";
}

function waitMessage(detail: string): string {
  const seconds = Number(/in (\d+) second/.exec(detail)?.[1] ?? NaN);
  if (Number.isNaN(seconds)) return "Too many tries. Please wait a little.";
  const wait = seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
  return `Too many tries. Please wait ${wait}.`;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
