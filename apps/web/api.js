// Talking to the server.

/** What went wrong: `code` as the server's {"error": {"code"}}, or "offline". */
export class ServerError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export async function getJson(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new ServerError('offline', '');
  }
  const document = await response.json();
  if (!response.ok) throw new ServerError(document.error.code, document.error.message);
  return document;
}

/** One upload. XMLHttpRequest, because fetch does not tell how far it has come. */
function post(file, url, { progress, working }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.responseType = 'json';
    request.timeout = 40000;
    request.upload.onprogress = (event) => progress?.((100 * event.loaded) / event.total);
    request.upload.onload = () => working?.();
    request.onload = () => resolve(request);
    request.onerror = () => reject(new ServerError('offline', ''));
    request.ontimeout = request.onerror;
    const form = new FormData();
    form.append('image', file, file.name ?? 'image');
    request.send(form);
  });
}

const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, 1000 * seconds); });

/** The answer about one file. Where the server is busy it is asked again, up to five times. */
export async function predict(file, query, told) {
  const url = `/api/v1/predict?${new URLSearchParams(query)}`;
  for (let attempt = 1; ; attempt += 1) {
    const request = await post(file, url, told);
    if (request.status === 200) return request.response;
    if (request.status === 503 && attempt <= 5) {
      told.waiting?.();
      await pause(attempt * Number(request.getResponseHeader('Retry-After') ?? 1));
      continue;
    }
    const error = request.response?.error ?? { code: 'other', message: `HTTP ${request.status}` };
    throw new ServerError(error.code, error.message);
  }
}
