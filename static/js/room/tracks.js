/** What livekit-client's tracks, people and errors mean here. */

import { t } from '../lib/words.js';

/** @typedef {import('../types').CallPerson} CallPerson */
/** @typedef {'camera' | 'screen'} Picture */

/**
 * @param {any} me the local participant
 * @param {string} source
 * @param {MediaStreamTrack | null} wanted
 */
export async function matchTrack(me, source, wanted) {
  const track = me.getTrackPublication(source)?.track;
  if (!wanted) {
    if (track) await me.unpublishTrack(track, false);
  } else if (!track) {
    await me.publishTrack(wanted, { source, stopMicTrackOnMute: false });
  } else if (track.mediaStreamTrack !== wanted) {
    await track.replaceTrack(wanted, true);
  }
}

/**
 * @param {any} participant
 * @returns {CallPerson} role and colour travel as attributes that our server has signed
 */
export function describe(participant) {
  const voice = participant.getTrackPublication(LivekitClient.Track.Source.Microphone);
  const { role = 'GUEST', hue = '0' } = participant.attributes ?? {};
  return {
    identity: participant.identity,
    name: participant.name || t('Somebody'),
    role,
    hue: Number(hue),
    mic: voice ? !voice.isMuted : null,
    quality: participant.connectionQuality,
  };
}

/**
 * @param {any} track or publication
 * @returns {Picture}
 */
export function kindOf({ source }) {
  return source === LivekitClient.Track.Source.ScreenShare ? 'screen' : 'camera';
}

/** @param {any} track */
export function pictureOf(track) {
  const element = track.attach();
  element.setAttribute('aria-hidden', 'true');
  element.tabIndex = -1;
  return element;
}

/** @param {any} error @returns {string} the end of a sentence */
export function connectReason(error) {
  const { ConnectionErrorReason } = LivekitClient;
  switch (error?.reason) {
    case ConnectionErrorReason.ServerUnreachable:
    case ConnectionErrorReason.WebSocket:
      return t('the video server can’t be reached');
    case ConnectionErrorReason.NotAllowed:
      return t('the video server refused this server’s key');
    case ConnectionErrorReason.Timeout:
      return t('the video server doesn’t answer');
    default:
      return t('the call could not be joined');
  }
}
