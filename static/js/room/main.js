/** The room's entry: makes the parts and wires them to each other. Nothing else imports siblings. */

import { find } from '../lib/dom.js';
import { Controls } from './controls.js';
import { RoomDoor } from './door.js';
import { wireEnding } from './ending.js';
import { Header } from './header.js';
import { Lateness } from './lateness.js';
import { Lobby } from './lobby.js';
import { Microphone } from './microphone.js';
import { Notices } from './notices.js';
import { remedyFor } from './remedies.js';
import { Settings } from './settings.js';
import { wireSharing } from './sharing.js';
import { TranscriptionSocket } from './socket.js';
import { Stage } from './stage.js';
import { Transcript } from './transcript.js';
import { Call } from './video.js';

const LOST = 'The connection is lost. What you say is kept for 30 seconds and sent when it is back.';
const LOSS_SAID_AFTER = 1_500;

const page = find('#room').dataset;
const me = {
  identity: page.identity ?? '',
  name: page.name ?? '',
  role: /** @type {import('../types').Role} */ (page.role),
  hue: Number(page.hue),
};

const door = new RoomDoor(page.slug ?? '');
const notices = new Notices();
const header = new Header();
const lateness = new Lateness((text) => notices.set('speech', text));
const transcript = new Transcript(me.identity);
/** @type {Stage | null} known once joining has told who we are */
let stage = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let lossTimer;

const microphone = new Microphone({
  frame: ({ index, frame }) => socket.push(index, frame),
  level: (level) => {
    controls.level(level);
    settings.level(level);
  },
  silent: (silent) =>
    notices.set('silent', silent ? 'Your microphone is silent. Is it switched off, or is another one meant?' : null, {
      label: 'Choose a microphone',
      act: () => settings.open(),
    }),
  track: (track) => void call.setMicrophone(track, !microphone.isOn),
  gone: (error) => {
    showMicrophone();
    explainMicrophone(error);
  },
});

const socket = new TranscriptionSocket(() => door.join(), {
  state: (state) => {
    header.connection(state);
    explainConnection(state === 'live');
  },
  message: take,
  over: () => door.show(),
  lost: () => notices.toast('The connection was away for too long: some of your words are missing.'),
});

const call = new Call(async () => (await door.join()).video, find('[data-audio]'), {
  state: showCall,
  video: (identity, element) => stage?.video(identity, element),
  voices: (identities) => stage?.voices(identities),
  soundBlocked: (blocked) =>
    notices.set('sound', blocked ? 'Your browser holds back the sound.' : null, {
      label: 'Play sound',
      act: () => void call.startSound(),
    }),
  camera: (on) => controls.camera(on),
  restarted: (track) => void microphone.adopt(track),
});

const settings = new Settings(microphone, explainMicrophone);
const controls = new Controls({
  microphone: () => void toggleMicrophone(),
  camera: () => void toggleCamera(),
  settings: () => void settings.open(),
  leave,
});
const lobby = new Lobby(join);
wireSharing(page.link ?? location.href);
wireEnding(
  () => door.end(),
  () => door.show(),
);
showEngine({
  name: page.speech ?? '',
  health: /** @type {import('../types').Engine['health']} */ (page.health),
  reason: page.reason || null,
});

/** @param {boolean} withMicrophone */
async function join(withMicrophone) {
  // The browser's question and our request run side by side; the room opens without waiting for the answer.
  const opening = withMicrophone ? openMicrophone() : null;
  const ticket = await door.join().catch((error) => {
    microphone.stop();
    throw error;
  });
  stage = new Stage(ticket.you);
  stage.microphone(microphone.isOn);
  header.session(ticket.session);
  lobby.leave();
  socket.open(ticket);
  void call.connect(ticket.video);
  await opening;
}

/** @param {import('../types').ServerMessage} message */
function take(message) {
  switch (message.type) {
    case 'welcome':
      header.session(message.session);
      showEngine(message.engine);
      transcript.begin(message);
      stage?.people(message.people);
      lateness.people([]);
      break;
    case 'utterance':
      transcript.show(message);
      break;
    case 'speech':
      stage?.speech(message);
      lateness.speech(message, stage?.nameOf(message.identity) ?? 'someone');
      break;
    case 'people':
      stage?.people(message.people);
      lateness.people(message.people);
      break;
    case 'session':
      if (message.status === 'ENDED' || message.status === 'EXPIRED') door.show();
      else header.session(message);
      break;
    case 'error':
      notices.toast(message.message);
      break;
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
 * @param {import('./video.js').CallState} state
 * @param {string | null} reason
 */
function showCall(state, reason) {
  controls.cameraPossible(state === 'live');
  const words = {
    off: `Video is off: ${reason}. Captions go on.`,
    connecting: null,
    live: reason && `Video: ${reason}.`,
    reconnecting: 'Video is reconnecting…',
  }[state];
  notices.set('video', words, state === 'off' ? { label: 'Try again', act: () => void call.retry() } : undefined);
}

async function openMicrophone() {
  try {
    await microphone.start();
    notices.set('microphone', null);
  } catch (error) {
    explainMicrophone(error);
  }
  showMicrophone();
}

/** @param {unknown} error */
function explainMicrophone(error) {
  const { says, remedy } = remedyFor(error);
  notices.set('microphone', `${says} ${remedy}`, { label: 'Try again', act: () => void openMicrophone() });
}

async function toggleMicrophone() {
  if (!microphone.track) return openMicrophone();
  microphone.setOn(!microphone.isOn);
  showMicrophone();
}

/** One switch for captions, call and label. */
function showMicrophone() {
  controls.microphone(microphone.isOn);
  stage?.microphone(microphone.isOn);
  socket.setMicrophone(microphone.isOn);
  void call.setMicrophone(microphone.track, !microphone.isOn);
}

async function toggleCamera() {
  const on = find('[data-camera]').getAttribute('aria-pressed') === 'true';
  try {
    await call.setCamera(!on);
  } catch {
    notices.toast('The camera can’t be opened. Allow it for this page, or close the program that uses it.');
  }
}

function leave() {
  microphone.stop();
  call.leave();
  socket.close();
}
