/** Calls to our own server that answer JSON. */

import { t } from './words.js';

const ANSWER_TIMEOUT_MS = 15_000;

/** A refusal, with the server's words for people. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {number} retryAfter seconds, 0 when the server didn't say
   */
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/**
 * POSTs and returns the JSON answer.
 * @param {string} path
 * @param {Record<string, string> | URLSearchParams} [fields] of a form
 * @returns {Promise<any>} throws ApiError when refused, TypeError or a DOMException when unreachable
 */
export async function post(path, fields) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: fields && new URLSearchParams(fields),
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  const text = await response.text();
  if (response.ok) return text.startsWith('{') ? JSON.parse(text) : {};
  throw refusal(response, text);
}

/**
 * @param {unknown} error what `post` threw
 * @returns {string} in words for people
 */
export function reasonOf(error) {
  return error instanceof ApiError ? error.message : t('The server can’t be reached. Check your connection and try again.');
}

/**
 * @param {Response} response
 * @param {string} text
 * @returns {ApiError}
 */
export function refusal(response, text) {
  let error = { code: 'failed', message: t('The server answered with an error ({status}).', { status: response.status }) };
  try {
    error = { ...error, ...JSON.parse(text).error };
  } catch {
    // A proxy in between answers in HTML; the status is all there is to say.
  }
  return new ApiError(response.status, error.code, error.message, Number(response.headers.get('retry-after')) || 0);
}
