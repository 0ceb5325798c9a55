/**
 * The report to copy, for whoever helps: results, and the kinds of ways that were tried. It is in English but for the
 * verdict. Nobody's address but the server's is in it, no name of a device, no token, no link.
 */

/** @typedef {import('../types').Facts} Facts */
/** @typedef {import('../types').Tried} Tried */

/**
 * @typedef {object} Told
 * @property {Facts} facts
 * @property {Tried[]} tried
 * @property {{ rtt: number | null, code: number | null }} socket
 * @property {string[]} verdicts in words
 * @property {string} at when, as in ISO 8601
 * @property {{ agent: string, language: string, page: string, online: boolean }} browser `page` is the origin alone
 */

/** @param {Told} told @returns {string} */
export function report({ facts, tried, socket, verdicts, at, browser }) {
  const lines = [
    `Sessions, connection test of ${at}`,
    ...verdicts.map((one) => `- ${one}`),
    '',
    `Browser: ${browser.agent} (${browser.language}${browser.online ? '' : ', offline'})`,
    `Page: ${browser.page}`,
    `This server answers: ${facts.server}`,
    `/ws: ${facts.socket}${socket.rtt === null ? '' : `, ${ms(socket.rtt)}`}${socket.code === null ? '' : `, closed with ${socket.code}`}`,
    `LiveKit as this server sees it: ${facts.call}`,
    `LiveKit as this browser sees it: ${facts.signal} at ${facts.host}${facts.address === 'ok' ? '' : ` (address: ${facts.address})`}`,
    ...Object.entries(facts.paths).map(([path, result]) => `${path}: ${result}${wayOf(tried.find((one) => one.path === path))}`),
    `LiveKit offers: ${facts.addresses.map(({ address, port, protocol, type }) => `${address}:${port}/${protocol} ${type}`).join(', ') || 'nothing that was seen'}`,
    `Microphone: ${facts.microphone}; camera: ${facts.camera}; speaker: ${facts.speaker}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** @param {Tried | undefined} tried @returns {string} how long it took and by which kinds of candidates; nobody's address */
function wayOf(tried) {
  if (!tried?.works) return tried ? `, given up after ${ms(tried.took)}` : '';
  if (!tried.pair) return `, connected in ${ms(tried.took)}`;
  const { local, remote, protocol, relay, rtt } = tried.pair;
  return `, connected in ${ms(tried.took)}, ${local} to ${remote} by ${relay ?? protocol}${rtt === null ? '' : `, ${ms(rtt)} there and back`}`;
}

/** @param {number} time in milliseconds */
function ms(time) {
  return `${Math.round(time)} ms`;
}
