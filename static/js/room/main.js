/** The room's entry: the lobby, our own equipment in it, and from the click that joins on the meeting. */

import { ApiError } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { RoomApi } from './api.js';
import { Equipment } from './equipment.js';
import { Lobby } from './lobby.js';
import { Meeting } from './meeting.js';
import { Notices } from './notices.js';
import { isRefusal, showRefusal } from './refusal.js';
import { Settings } from './settings.js';
import { wireSharing } from './sharing.js';

const page = find('#room').dataset;
const engine = {
  name: page.speech ?? '',
  health: /** @type {import('../types').Engine['health']} */ (page.health),
  reason: page.reason ? { code: page.reason, detail: page.detail ?? '' } : null,
};
const api = new RoomApi(page.slug ?? '');
const notices = new Notices();
const settings = new Settings((title) => api.settings({ title }));
/** @type {Meeting | null} */
let meeting = null;
const equipment = new Equipment(notices, settings, {
  frame: (frame) => meeting?.frame(frame),
  level: (level) => {
    lobby.level(level);
    meeting?.level(level);
  },
  microphone: () => meeting?.microphone(),
  camera: () => {
    lobby.picture(equipment.camera.view());
    meeting?.camera();
  },
  hint: (text) => lobby.hint(text),
});
const lobby = new Lobby({
  microphone: (on) => equipment.turnMicrophone(on),
  camera: (on) => equipment.turnCamera(on),
  join,
});
wireSharing(page.link ?? location.href, page.linkLocal !== undefined);

/** @param {import('./lobby.js').Wish} wish */
async function join(wish) {
  // The browser's questions and our request run side by side; the room opens without waiting for the answers.
  const prepared = equipment.prepare(wish);
  const ticket = await lobby.admitted(() => api.join()).catch(turnedAway);
  if (!ticket) return;
  lobby.leave();
  meeting = new Meeting(ticket, { api, equipment, notices, settings, engine, over });
  await prepared;
}

/**
 * @param {unknown} error
 * @returns {null} when another page says it all; throws what the lobby should show
 */
function turnedAway(error) {
  equipment.stop();
  if (!(error instanceof ApiError && (error.code === 'ended' || isRefusal(error.code)))) throw error;
  over(error.code);
  return null;
}

/** @param {string} why */
function over(why) {
  if (isRefusal(why)) showRefusal(why);
  else api.show();
}
