/** The room's entry: what is true in it, what can be done in it, and its parts, which meet nowhere else. */

import { find } from '../lib/dom.js';
import '../lib/times.js';
import { tellWaking } from './accidents.js';
import { Actions } from './actions.js';
import { RoomApi } from './api.js';
import { keepAwake } from './awake.js';
import { Chat } from './chat.js';
import { tellConsent } from './consent.js';
import { Controls } from './controls.js';
import { Equipment } from './equipment.js';
import { wireDialogs } from './focus.js';
import { Header } from './header.js';
import { Hosting } from './hosting.js';
import { Keys } from './keys.js';
import { Languages, Reading } from './languages.js';
import { Lateness } from './lateness.js';
import { Leaving } from './leaving.js';
import { Lobby } from './lobby.js';
import { Login } from './login.js';
import { News } from './news.js';
import { Notices } from './notices.js';
import { tellOutages } from './outages.js';
import { Panels } from './panels.js';
import { tellPauses } from './pausing.js';
import { People } from './people.js';
import { tellPlace } from './place.js';
import { keepRoster } from './roster.js';
import { Settings } from './settings.js';
import { wireSharing } from './sharing.js';
import { Stage } from './stage.js';
import { first, State } from './state.js';
import { Subtitles } from './subtitles.js';
import { toggleFullScreen } from './tile.js';
import { Transcript } from './transcript.js';
import { Video } from './video.js';
import { Wire } from './wire.js';

const page = find('#room').dataset;
const state = new State(first(page));
const actions = new Actions(state);
const api = new RoomApi(page.slug ?? '');

// What makes it true.
const login = new Login(state, actions, api);
const wire = new Wire(state, actions, () => login.join());
const equipment = new Equipment(state, actions);
new Video(state, actions, () => login.join());
keepRoster(state);

// What is said of it.
state.when('joined', () => new Lateness(state)); // not before there is somebody to tell
tellOutages(state, () => wire.unsent);
tellPlace(state);
tellPauses(state);
tellConsent(state, actions, api);
new News(state);
new Notices(state);
new Header(state);

// What shows it.
new Stage(state);
const reading = new Reading(state);
new Transcript(state, reading);
new Subtitles(state, actions, reading);
new Panels(state, actions);
new Chat(state, actions);
new People(state, actions);

// What is done about it.
new Controls(state, actions);
new Keys(state, actions);
new Settings(state, actions, api);
new Languages(state, actions, page.languages?.split(' ') ?? []);
new Hosting(state, actions, api);
new Leaving(state, actions, api, () => wire.unsent);
new Lobby(state, actions, api, equipment);
actions.on('full-screen', () => void toggleFullScreen(document.documentElement));
wireSharing(page.link ?? location.href, page.linkLocal !== undefined);
wireDialogs();
state.when('joined', keepAwake);
tellWaking(state);
