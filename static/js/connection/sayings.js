/** The verdicts in words: what is so, and what one can do. */

import { t } from '../lib/words.js';

/** @typedef {(values: Record<string, string>) => [string, string]} Saying what is so, and what to do */

const check = () => t('Whoever runs this server: start with “python app.py check”; docs/deploy.md has the ports to open.');
const more = () => t('“python app.py check” tells more.');
const elsewhere = () => t('Try another network, such as your phone’s. If it is the same there, the server is set up wrong: tell whoever runs it.');

/** @type {Record<string, Saying>} by code of verdict.js */
export const SAYINGS = {
  untested: () => [t('Nothing was tested yet.'), t('The test takes about ten seconds. Nobody sees or hears any of it.')],
  fine: () => [t('All is well.'), t('Microphone, camera, speaker and connection work, and the call takes the best way there is.')],
  'fine-so-far': () => [t('Your connection is good.'), t('The call takes the best way there is. Try microphone, camera and speaker as well.')],
  'fine-captions': () => [t('Your connection is good.'), t('This server has no calls, by choice: only captions and chat.')],
  'server-away': () => [t('This server can’t be reached.'), t('Your network is gone, or the server is restarting. Check your connection and try again in a moment.')],
  'server-limited': () => [t('Those were many tests at once.'), t('Wait a minute, then try again.')],
  'server-refused': () => [t('This server doesn’t know you any more.'), t('Open the link of the session, or sign in again, and come back.')],
  'server-failed': () => [t('This server answered with an error.'), t('Try again in a moment. If it stays, tell whoever runs this server.')],
  'no-webrtc': () => [t('Your browser can’t make calls.'), t('It lacks WebRTC, or somebody has turned it off. Captions and chat work; for sound and video use another browser.')],
  'socket-blocked': () => [
    t('Captions and chat don’t get through.'),
    t('Pages load, but no WebSocket opens: a proxy between you and the server, or in front of it, doesn’t pass them on.') + ' ' + elsewhere(),
  ],
  'socket-cut': () => [t('The connection for captions and chat breaks.'), t('It opened, and was cut or stood still within seconds.') + ' ' + elsewhere()],
  'socket-mangled': () => [
    t('Something between you and the server changes what is sent.'),
    t('A proxy doesn’t pass WebSockets on as they are: captions and chat would fail in odd ways.') + ' ' + elsewhere(),
  ],
  'call-insecure': ({ address }) => [
    t('The server is set up wrong: its video server has an address without TLS.'),
    t('Browsers refuse {address} on a page with https. Whoever runs this server: LIVEKIT_URL has to begin with wss://.', { address }),
  ],
  'call-local': ({ address }) => [
    t('The server is set up wrong: its video server is said to be on your own computer.'),
    t('It tells browsers to go to {address}, which is each computer itself. Whoever runs this server: set LIVEKIT_URL to the address that others reach it at.', { address }),
  ],
  'call-key': () => [
    t('The server is set up wrong: its video server refuses its key.'),
    t('Nobody can join a call. Whoever runs this server: LIVEKIT_API_KEY and LIVEKIT_API_SECRET have to be those of LiveKit.') + ' ' + more(),
  ],
  'call-two': () => [
    t('The server is set up wrong: its two ways lead to different video servers.'),
    t('The one that browsers are told refuses the key that the other one takes. Whoever runs this server: LIVEKIT_URL and LIVEKIT_API_URL have to lead to one LiveKit.'),
  ],
  'call-away': () => [t('The server’s video server doesn’t answer.'), t('The server itself can’t reach it either, so it isn’t your network. Captions and chat work.') + ' ' + check()],
  'call-failed': () => [t('The server’s video server fails.'), t('It is reached, and doesn’t do what it should. It isn’t your network.') + ' ' + check()],
  'call-hidden': ({ address }) => [
    t('You don’t reach the video server, though the server does.'),
    t('Your network or a proxy blocks {address}, or the address is meant for others.', { address }) + ' ' + elsewhere(),
  ],
  'call-api': () => [
    t('You can talk, but the server can’t reach its video server itself.'),
    t('Hosts can’t mute or remove anybody in the call. Whoever runs this server: LIVEKIT_API_URL names the way that the server takes.') + ' ' + more(),
  ],
  'media-udp': ({ address, ports }) => [
    t('Your network blocks UDP.'),
    t('The call goes by TCP instead: pictures may stutter. Try another network, or ask whoever runs yours to let UDP out to {address} ({ports}).', { address, ports }),
  ],
  'media-no-udp': () => [
    t('The video server offers no UDP.'),
    t('The call goes by TCP, for everybody: pictures may stutter. Whoever runs this server: open LiveKit’s UDP port.') + ' ' + more(),
  ],
  'media-relay': ({ address, ports }) => [
    t('Your network lets the call out by a relay only.'),
    t('It works, with more delay. Better is a network that lets {ports} out to {address}.', { address, ports }),
  ],
  'media-address': ({ address }) => [
    t('The server is set up wrong: its video server advertises an address that can’t be reached.'),
    t('It says {address}, which is of a private network. Whoever runs this server: give LiveKit its public address (use_external_ip or NODE_IP).', { address }) + ' ' + more(),
  ],
  'media-none': () => [t('The server’s video server offers no way for sound and picture.'), check()],
  'media-blocked': ({ address, ports }) => [
    t('Sound and picture get through by no way.'),
    t('Your network, or the server’s firewall, blocks {address} ({ports}). Captions and chat work.', { address, ports }) + ' ' + elsewhere(),
  ],
  'microphone-blocked': () => [t('Your browser didn’t give the microphone.'), t('How to allow it stands beside the microphone below.')],
  'microphone-missing': () => [t('No microphone was found.'), t('Plug one in or switch it on, and try again.')],
  'microphone-busy': () => [t('The microphone can’t be opened.'), t('Another program may be using it: close that one, and try again.')],
  'microphone-silent': () => [t('Your microphone is silent.'), t('Is it switched off, or is another one meant? Choose it below.')],
  'microphone-failed': () => [t('The microphone didn’t start.'), t('Reload the page, or try another browser.')],
  'camera-blocked': () => [t('Your browser didn’t give the camera.'), t('How to allow it stands beside the camera below.')],
  'camera-missing': () => [t('No camera was found.'), t('You can join without one.')],
  'camera-busy': () => [t('The camera can’t be opened.'), t('Another program may be using it: close that one, and try again.')],
  'camera-silent': () => [t('The camera gives no picture.'), t('Is its cover open? Try another one below.')],
  'camera-failed': () => [t('The camera didn’t start.'), t('Reload the page, or try another browser.')],
  'speaker-unheard': () => [t('You didn’t hear the sound.'), t('Turn the volume up, or choose another speaker below; in the room, Settings has the same choice.')],
  'speaker-failed': () => [t('The browser played no sound.'), t('Is a speaker connected? Reload the page, or try another browser.')],
};
