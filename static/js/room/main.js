/** The room's entry: makes the parts and wires them to each other. Nothing else imports siblings. */

import { ApiError, reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { keepAwake } from './awake.js';
import { Call } from './call.js';
import { Camera } from './camera.js';
import { Chat } from './chat.js';
import { confirmed } from './confirm.js';
import { Controls } from './controls.js';
import { DeviceFields } from './devices.js';
import { RoomDoor } from './door.js';
import { wireEnding } from './ending.js';
import { Header } from './header.js';
import { Lateness } from './lateness.js';
import { Lobby } from './lobby.js';
import { Microphone } from './microphone.js';
import { Notices } from './notices.js';
import { Panels } from './panels.js';
import { People } from './people.js';
import { isRefusal, showRefusal } from './refusal.js';
import { remedyFor } from './remedies.js';
import { Roster } from './roster.js';
import { Settings } from './settings.js';
import { wireSharing } from './sharing.js';
import { TranscriptionSocket } from './socket.js';
import { Stage } from './stage.js';
import { Subtitles } from './subtitles.js';
import { toggleFullScreen } from './tile.js';
import { Transcript } from './transcript.js';

const LOST = 'The connection is lost. What you say is kept for 30 seconds and sent when it is back.';
const NOT_NOW = 'Not connected right now: try again in a moment.';
const LOSS_SAID_AFTER = 1_500;
const REPLAYED_WITHIN = 1_000;
const QUESTIONS = {
  remove: {
    title: (/** @type {string} */ name) => `Remove ${name}?`,
    text: 'They leave at once and can’t come back to this session.',
    verb: 'Remove',
  },
  host: {
    title: (/** @type {string} */ name) => `Make ${name} a host?`,
    text: 'They can then let people in, mute and remove them, and end the session for everyone.',
    verb: 'Make host',
  },
};

/** @typedef {import('../types').Face} Face */

const room = find('#room');
const page = room.dataset;
const door = new RoomDoor(page.slug ?? '');
const notices = new Notices();
const header = new Header();
const lateness = new Lateness((text) => notices.set('speech', text));
const transcript = new Transcript(page.identity ?? '');
const subtitles = new Subtitles();
const stage = new Stage(() => void call.share(false));
/** @type {Roster | null} known once joining has told who we are */
let roster = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let lossTimer;
let callLive = false;
let replayedTo = 0;
let welcomedAt = 0;
let unread = 0;
let knocking = 0;
/** @type {Set<string>} */
let handsUp = new Set();

const microphone = new Microphone({
  frame: ({ index, frame }) => roster && socket.push(index, frame),
  level: (level) => {
    controls.level(level);
    lobby.level(level);
    settings.level(level);
  },
  silent: (silent) => {
    const words = 'Your microphone is silent. Is it switched off, or is another one meant?';
    lobby.hint(silent ? words : null);
    notices.set('silent', silent ? words : null, { label: 'Choose a microphone', act: () => settings.open() });
  },
  track: (track) => void call.setMicrophone(track, !microphone.isOn),
  gone: (error) => {
    showMicrophone();
    explain(error, 'microphone');
  },
});

const camera = new Camera({
  track: (track) => {
    lobby.picture(camera.view());
    controls.camera(camera.isOn);
    showPossible();
    if (!roster) return;
    stage.picture(roster.me.identity, 'camera', camera.view());
    void call.setCamera(track);
  },
  gone: (error) => explain(error, 'camera'),
});

const socket = new TranscriptionSocket(() => door.join(), {
  state: (state) => {
    header.connection(state);
    explainConnection(state === 'live');
  },
  message: take,
  over,
  lost: () => notices.toast('The connection was away for too long: some of your words are missing.'),
});

const call = new Call(askForVideo, find('[data-audio]'), {
  state: showCall,
  people: (people) => roster?.call(people),
  picture: (identity, picture, element) => stage.picture(identity, picture, element),
  voices: (identities) => roster?.voices(identities),
  soundBlocked: (blocked) =>
    notices.set('sound', blocked ? 'Your browser holds back the sound.' : null, {
      label: 'Play sound',
      act: () => void call.startSound(),
    }),
  sharing: (on) => controls.sharing(on),
  silenced,
  restarted: (track) => void microphone.adopt(track),
});

const settings = new Settings((title) => door.settings({ title }));
const devices = [
  new DeviceFields(
    { kind: 'audioinput', name: 'Microphone', current: () => microphone.deviceId, choose: (id) => microphone.choose(id) },
    (error) => explain(error, 'microphone'),
  ),
  new DeviceFields(
    { kind: 'videoinput', name: 'Camera', current: () => camera.deviceId, choose: (id) => camera.choose(id) },
    (error) => explain(error, 'camera'),
  ),
];
let speaker = '';
if ('setSinkId' in HTMLMediaElement.prototype) {
  const choose = (/** @type {string} */ id) => call.setSpeaker((speaker = id));
  devices.push(new DeviceFields({ kind: 'audiooutput', name: 'Speaker', current: () => speaker, choose }, () => {}));
} else {
  find('[data-speaker-field]').hidden = true;
}

const controls = new Controls({
  microphone: (on = !microphone.isOn) => void turnMicrophone(on),
  camera: () => void turnCamera(!camera.isOn),
  share: () => void toggleShare(),
  hand: () => say({ type: 'hand', up: !handsUp.has(roster?.me.identity ?? '') }),
  react: (emoji) => say({ type: 'reaction', emoji }),
  settings: () => settings.open(),
  shortcuts: () => /** @type {HTMLDialogElement} */ (find('[data-shortcuts-dialog]')).showModal(),
  fullScreen: () => void toggleFullScreen(document.documentElement),
  leave,
  subtitles: () => subtitles.toggle(),
  panel: (panel) => panels.toggle(panel),
  closePanel: () => panels.close(),
});
const chat = new Chat(
  (text) => say({ type: 'chat', text }),
  (count, line) => {
    unread = count;
    showNews();
    if (line) notices.toast(`${line.name}: ${line.text.slice(0, 120)}`, { label: 'Open chat', act: () => panels.show('chat') });
  },
);
const panels = new Panels((panel) => {
  subtitles.transcript(panel === 'transcript');
  chat.opened(panel === 'chat');
});
const people = new People({
  act: (action, person) => void actAsHost(action, person),
  settings: (fields) => void door.settings(fields).catch((error) => notices.toast(reasonOf(error))),
});
const lobby = new Lobby({
  microphone: async (on) => {
    if (on) await openMicrophone();
    else microphone.setOn(false);
    return microphone.isOn;
  },
  camera: async (on) => {
    if (on) await openCamera();
    else camera.stop();
    return camera.isOn;
  },
  join,
});
wireSharing(page.link ?? location.href);
wireEnding(
  () => door.end(),
  () => door.show(),
);
showHosting(page.role === 'HOST');
showEngine({
  name: page.speech ?? '',
  health: /** @type {import('../types').Engine['health']} */ (page.health),
  reason: page.reason || null,
});
void Promise.all(devices.map((fields) => fields.list()));

/** @param {import('./lobby.js').Wish} wish */
async function join(wish) {
  // The browser's questions and our request run side by side; the room opens without waiting for the answers.
  const opening = [wish.microphone ? openMicrophone() : microphone.stop(), wish.camera ? openCamera() : camera.stop()];
  const ticket = await lobby.admitted(() => door.join()).catch(turnedAway);
  if (!ticket) return;
  roster = new Roster(ticket.you, drawFaces);
  roster.microphone(microphone.isOn);
  header.session(ticket.session);
  people.session(ticket.session);
  stage.picture(ticket.you.identity, 'camera', camera.view());
  lobby.leave();
  chat.begin(ticket.you.identity);
  controls.camera(camera.isOn);
  socket.open(ticket);
  void call.setCamera(camera.track);
  showMicrophone();
  void call.connect(ticket.video);
  keepAwake();
  await Promise.all(opening);
}

/**
 * @param {unknown} error
 * @returns {null} when another page says it all; throws what the lobby should show
 */
function turnedAway(error) {
  microphone.stop();
  camera.stop();
  if (error instanceof ApiError && (error.code === 'ended' || isRefusal(error.code))) over(error.code);
  else throw error;
  return null;
}

/** @param {import('../types').ServerMessage} message */
function take(message) {
  switch (message.type) {
    case 'welcome':
      replayedTo = message.seq;
      welcomedAt = performance.now();
      header.session(message.session);
      people.session(message.session);
      showEngine(message.engine);
      transcript.begin(message);
      subtitles.clear();
      showPeople(message);
      lateness.people([]);
      break;
    case 'utterance':
      transcript.show(message);
      if (!message.final || (message.seq ?? 0) > replayedTo) subtitles.show(message);
      break;
    case 'speech':
      roster?.speech(message);
      lateness.speech(message, roster?.nameOf(message.identity) ?? 'someone');
      break;
    case 'people':
      showPeople(message);
      lateness.people(message.people);
      break;
    case 'chat':
      chat.show(message, performance.now() - welcomedAt > REPLAYED_WITHIN);
      break;
    case 'reaction':
      stage.react(message.identity, message.emoji);
      break;
    case 'muted':
      silenced();
      break;
    case 'session':
      if (message.status === 'ENDED' || message.status === 'EXPIRED') return over('ended');
      header.session(message);
      people.session(message);
      settings.title(message.title ?? '');
      break;
    case 'error':
      notices.toast(message.message);
      if (message.code === 'too_much') chat.refused();
      break;
  }
}

/** @param {{ people: import('../types').Person[], waiting?: import('../types').Knock[] }} message */
function showPeople({ people: here, waiting = [] }) {
  roster?.people(here);
  people.knocks(waiting);
  knocking = waiting.length;
  showNews();
  const up = new Set(here.filter(({ hand }) => hand).map(({ identity }) => identity));
  for (const { identity, name } of here) {
    if (up.has(identity) && !handsUp.has(identity) && identity !== roster?.me.identity) notices.toast(`${name} raised a hand.`);
  }
  handsUp = up;
}

/** @param {Face[]} faces */
function drawFaces(faces) {
  const me = faces.find((face) => face.me);
  stage.draw(faces);
  people.draw(faces);
  controls.hand(Boolean(me?.hand));
  showHosting(me?.role === 'HOST');
}

/** @param {boolean} host */
function showHosting(host) {
  find('[data-end]').hidden = !host;
  settings.hosting(host);
}

function showNews() {
  header.news(unread + knocking);
  const mark = find('[data-unread]');
  mark.textContent = unread ? String(unread) : '';
  mark.hidden = unread === 0;
  find('[data-chat-button]').setAttribute('aria-label', unread ? `Chat, ${unread} unread` : 'Chat');
}

/** @param {string} why */
function over(why) {
  leave();
  if (isRefusal(why)) showRefusal(why);
  else door.show();
}

/** @param {import('../types').Remark} remark */
function say(remark) {
  const said = socket.say(remark);
  if (!said) notices.toast(NOT_NOW);
  return said;
}

/**
 * @param {import('../types').HostAction} action
 * @param {{ identity: string, name: string }} person
 */
async function actAsHost(action, { identity, name }) {
  const question = action === 'remove' || action === 'host' ? QUESTIONS[action] : null;
  if (question && !(await confirmed(question.title(name), question.text, question.verb))) return;
  try {
    const { call: trouble } = await door.act(identity, action);
    if (trouble) notices.toast(trouble.message);
  } catch (error) {
    notices.toast(reasonOf(error));
  }
}

/** The header says at once that the connection is gone; the longer line waits, as most losses are over by then. */
function explainConnection(/** @type {boolean} */ live) {
  if (live) {
    clearTimeout(lossTimer);
    lossTimer = undefined;
    notices.set('connection', null);
  } else {
    lossTimer ??= setTimeout(() => notices.set('connection', LOST), LOSS_SAID_AFTER);
  }
}

/** @param {import('../types').Engine} engine */
function showEngine({ health, reason }) {
  const words = { ok: null, degraded: 'Captions may be late', off: 'Captions are off' }[health];
  notices.set('engine', words && (reason ? `${words}: ${reason}` : `${words}.`));
}

/**
 * @param {import('./call.js').CallState} state
 * @param {string | null} reason
 */
function showCall(state, reason) {
  callLive = state === 'live';
  showPossible();
  const words = {
    off: `Video is off: ${reason}. Captions go on.`,
    connecting: null,
    live: reason && `Video: ${reason}.`,
    reconnecting: 'Video is reconnecting…',
  }[state];
  notices.set('video', words, state === 'off' ? { label: 'Try again', act: () => void call.retry() } : undefined);
}

/** A camera that is on can always be turned off. */
function showPossible() {
  controls.possible(callLive || camera.isOn, callLive);
}

async function askForVideo() {
  const answer = await door.join();
  return 'waiting' in answer ? null : answer.video;
}

async function openMicrophone() {
  try {
    if (microphone.track) microphone.setOn(true);
    else await microphone.start();
    forgive('microphone');
    void devices[0].list();
  } catch (error) {
    explain(error, 'microphone');
  }
  showMicrophone();
}

async function openCamera() {
  try {
    await camera.start();
    forgive('camera');
    void devices[1].list();
  } catch (error) {
    explain(error, 'camera');
  }
}

/**
 * @param {unknown} error
 * @param {import('./remedies.js').Device} device
 */
function explain(error, device) {
  const { says, remedy } = remedyFor(error, device);
  lobby.hint(`${says} ${remedy}`);
  const act = () => void (device === 'microphone' ? openMicrophone() : openCamera());
  notices.set(device, `${says} ${remedy}`, { label: 'Try again', act });
}

/** @param {import('./remedies.js').Device} device */
function forgive(device) {
  lobby.hint(null);
  notices.set(device, null);
}

/** @param {boolean} on */
async function turnMicrophone(on) {
  if (on) return openMicrophone();
  microphone.setOn(false);
  showMicrophone();
}

/** @param {boolean} on */
async function turnCamera(on) {
  if (on) await openCamera();
  else camera.stop();
}

async function toggleShare() {
  try {
    await call.share(!call.isSharing);
  } catch (error) {
    // Who closes the browser's own dialog knows that nothing is shared.
    if (!(error instanceof DOMException && error.name === 'NotAllowedError')) notices.toast('The screen can’t be shared in this browser.');
  }
}

/** A host muted us, or the server did: captions stop with the voice. */
function silenced() {
  if (!microphone.isOn) return;
  microphone.setOn(false);
  showMicrophone();
  notices.toast('A host muted your microphone. You can turn it on again when it is your turn.');
}

/** One switch for captions, call and label. */
function showMicrophone() {
  controls.microphone(microphone.isOn);
  if (!roster) return;
  roster.microphone(microphone.isOn);
  socket.setMicrophone(microphone.isOn);
  void call.setMicrophone(microphone.track, !microphone.isOn);
}

function leave() {
  microphone.stop();
  camera.stop();
  call.leave();
  socket.close();
}
