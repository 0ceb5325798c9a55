// A minimal relay with Node and `ws`: the /ws protocol as far as a benchmark needs it.
// Usage: node node_relay.mjs PORT UPSTREAM_URL
// The token is ROOM.PERSON; there is no database, no check and no way back from an error.
import { createRequire } from "node:module";

const { WebSocket, WebSocketServer } = createRequire(new URL("../build/", import.meta.url))("ws");
const [port, upstreamUrl] = [Number(process.argv[2]), process.argv[3]];
/** @type {Map<string, Set<WebSocket>>} */
const rooms = new Map();

/** Open one live session upstream; audio waits until it is there. */
function openUpstream(person, room) {
  const waiting = [];
  const stream = { socket: null, send: (pcm) => waiting.push(pcm) };
  fetch(`${upstreamUrl}/v2/live`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-gladia-key": "bench" },
    body: JSON.stringify({ encoding: "wav/pcm", sample_rate: 16000, bit_depth: 16, channels: 1 }),
  })
    .then((response) => response.json())
    .then(({ url }) => {
      const socket = new WebSocket(url, { perMessageDeflate: false });
      socket.on("open", () => {
        for (const pcm of waiting) socket.send(pcm);
        stream.send = (pcm) => socket.send(pcm);
      });
      socket.on("message", (data) => broadcast(person, room, JSON.parse(data)));
      stream.socket = socket;
    });
  return stream;
}

function broadcast(person, room, message) {
  if (message.type !== "transcript") return;
  const { id, is_final: final, utterance } = message.data;
  const text = JSON.stringify({
    type: "utterance",
    id: `${person}-${id}`,
    seq: null,
    identity: person,
    name: person,
    text: utterance.text.trim(),
    start: utterance.start,
    end: utterance.end,
    language: utterance.language,
    final,
  });
  for (const viewer of rooms.get(room)) viewer.send(text);
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port,
  perMessageDeflate: false,
  handleProtocols: () => "sessions.v1",
});
server.on("connection", (socket, request) => {
  const token = request.headers["sec-websocket-protocol"].split(",")[1].trim();
  const [room, person] = token.split(".");
  if (!rooms.has(room)) rooms.set(room, new Set());
  rooms.get(room).add(socket);
  let stream = null;
  socket.on("message", (data, isBinary) => {
    if (isBinary) {
      stream ??= openUpstream(person, room);
      stream.send(data.subarray(8));
    } else if (JSON.parse(data).type === "hello") {
      socket.send(JSON.stringify({ type: "welcome", received: 0, seq: 0 }));
    }
  });
  socket.on("close", () => {
    rooms.get(room).delete(socket);
    stream?.socket?.close();
  });
});
