/** The wire messages of docs/protocol.md, and what the browser's own typings leave out. */

export type Role = 'HOST' | 'MEMBER' | 'GUEST';
export type Admission = 'ANYONE' | 'KNOCK' | 'MEMBERS';
/** in which a space may have so much transcribed */
export type Period = 'day' | 'month';
export type SpeechState = 'ready' | 'listening' | 'delayed' | 'paused' | 'failed';

export interface Person {
  identity: string;
  name: string;
  role: Role;
  hue: number;
  /** when the hand went up */
  hand?: string | null;
  /** whether nothing is heard of their pages at the moment */
  away?: boolean;
  /** the id of their picture */
  avatar?: string | null;
}

/** What the door of the space asks, and whether we want to be transcribed: null as long as we haven't said. */
export interface Consent {
  asked: 'OFF' | 'NOTICE' | 'REQUIRED';
  given: boolean | null;
}

/** Somebody who knocked and waits to be let in. */
export interface Knock {
  identity: string;
  name: string;
  hue: number;
}

/** Somebody as the call knows them. */
export interface CallPerson extends Person {
  /** whether their microphone is heard; null when they never opened one */
  mic: boolean | null;
  quality: Quality;
}

export type Quality = 'unknown' | 'lost' | 'poor' | 'good' | 'excellent';

/** Everything a page shows about one person. */
export interface Face extends Person {
  me: boolean;
  mic: boolean;
  away: boolean;
  speaking: boolean;
  quality: Quality;
  /** what is wrong with their captions, or '' */
  trouble: string;
  reason: string;
}

/** Why something is not as it should be: core/speech/reasons.py has the codes. */
export interface Reason {
  code: string;
  /** what it was about, in the words of whoever said it; '' for nothing */
  detail: string;
}

export interface Engine {
  name: string;
  health: 'ok' | 'degraded' | 'off';
  reason: Reason | null;
}

export interface SessionState {
  status: 'CREATED' | 'LIVE' | 'ENDED' | 'EXPIRED';
  slug?: string;
  title?: string | null;
  started_at?: string | null;
  reason?: string;
  admission?: Admission;
  locked?: boolean;
  /** Told to a page of which it has changed: see Welcome. */
  audio?: number;
  /** codes of the languages it is translated into */
  targets?: string[];
  /** In the answer of POST /s/{slug}/join: whether anybody else is or was in it. */
  others_came?: boolean;
}

/** A while in which hosts had nothing transcribed, in seconds of the session; without an `end` it goes on. */
export interface Pause {
  start: number;
  end: number | null;
  /** who paused, as far as that is known */
  by: string | null;
}

export interface Welcome {
  type: 'welcome';
  session: SessionState;
  you: Person;
  received: number;
  seq: number;
  engine: Engine;
  people: Person[];
  /** whether this page has its person's microphone and call */
  active: boolean;
  consent: Consent;
  /** all of the session's */
  pauses: Pause[];
  /** seconds of the session */
  now: number;
  names: Names;
  /** for how many days the sound of what we say here is kept; 0: it isn't */
  audio: number;
  /** the code of what we speak; null: as the session has it */
  language: string | null;
}

/** A final in the language that we read; `id` is that of its utterance. */
export interface Translation {
  type: 'translation';
  id: string;
  language: string;
  text: string;
}

/** What speakers are called in this session who have another name than their own; null: several people. */
export type Names = Record<string, string | null>;

export interface Utterance {
  type: 'utterance';
  id: string;
  seq: number | null;
  identity: string;
  name: string;
  hue: number;
  text: string;
  start: number;
  end: number;
  language: string | null;
  final: boolean;
  /** seconds that could not be transcribed: a gap, without a text */
  lost?: number | null;
}

/** What is shown of a final from now on: its parts, none when it is hidden or joined to another. */
export interface Corrected {
  type: 'corrected';
  number: number;
  seq: number;
  id: string;
  parts: { part: number; text: string; start: number; end: number; speaker: string; name: string | null; hue: number }[];
}

export interface Speech {
  type: 'speech';
  identity: string;
  state: SpeechState;
  reason: Reason | null;
  since: string;
}

export interface ChatLine {
  type: 'chat';
  id: number;
  identity: string;
  name: string;
  hue: number;
  role: Role;
  text: string;
  at: string;
}

export type ServerMessage =
  | Welcome
  | Utterance
  | Corrected
  | { type: 'names'; names: Names }
  | Translation
  | { type: 'spoken'; language: string | null }
  | Speech
  | ChatLine
  | { type: 'people'; people: Person[]; waiting: Knock[]; denied: Knock[]; untranscribed: string[] }
  | { type: 'reaction'; identity: string; emoji: string }
  | { type: 'muted' }
  | { type: 'active'; on: boolean }
  | { type: 'beat' }
  | { type: 'minutes'; near: Period | null }
  | ({ type: 'consent' } & Consent)
  | { type: 'pauses'; pauses: Pause[]; now: number }
  | ({ type: 'session' } & SessionState)
  | { type: 'settled'; index: number }
  | { type: 'error'; code: string; seconds?: number; detail?: string };

/** What a page says besides audio, `hello` and `mic`. */
export type Remark =
  | { type: 'take' }
  | { type: 'chat'; text: string }
  | { type: 'hand'; up: boolean }
  | { type: 'speak'; language: string | null }
  | { type: 'read'; language: string | null }
  | { type: 'reaction'; emoji: string };

/** An address, and the token that lets this page in there. */
export interface Pass {
  url: string;
  token: string;
}

/** The answer of POST /s/{slug}/join to who may come in. */
export interface Ticket {
  you: Person;
  session: SessionState;
  consent: Consent;
  transcription: Pass;
  video: Pass | null;
}

/** The answer of POST /s/{slug}/join while a knock is unanswered. */
export interface Waiting {
  waiting: true;
  /** How many hosts are in the room to see the knock; unknown when the server didn't answer. */
  hosts?: number;
}

export type HostAction = 'admit' | 'deny' | 'mute' | 'remove' | 'host' | 'lower-hand';

/** A frame of our own voice: `frame` is a whole audio message of the protocol. */
export interface Frame {
  index: number;
  frame: ArrayBuffer;
  peak: number;
}

/** What the worklet posts per frame: without audio while that is withheld. `turn`: how often that had changed. */
export interface Heard {
  index: number;
  frame: ArrayBuffer | null;
  peak: number;
  turn: number;
}

/** One of our own devices: whether it is on, and what it gives. */
export interface Device {
  isOn: boolean;
  track: MediaStreamTrack | null;
}

export type Panel = 'transcript' | 'chat' | 'people';
export type ConnectionState = 'connecting' | 'live' | 'offline';
export type CallState = 'off' | 'connecting' | 'live' | 'reconnecting' | 'aside';

/** Something to do about what a notice or a toast says: a button with these words that posts this act. */
export interface Offer {
  label: string;
  act: keyof Acts;
}

export interface Notice {
  text: string;
  offer?: Offer;
  /** what can be done instead */
  or?: Offer;
  /** a page of ours that helps, for another tab */
  link?: { label: string; href: string };
  /** whether a screen reader says it when it comes or changes; true unless said otherwise */
  aloud?: boolean;
}

/** What one can do something about comes first: the order in which they stand. */
export type Topic = 'login' | 'place' | 'connection' | 'consent' | 'paused' | 'sound' | 'microphone' | 'camera' | 'silent' | 'captions' | 'minutes' | 'video';

/** What is true in a room, as its page knows it: static/js/room/state.js. No part keeps a copy of any of it. */
export interface Truth {
  me: {
    /** as the server knows us; the identity is '' until we are in */
    person: Person;
    guest: boolean;
    consent: Consent;
    /** whether we have said no here, and the server may not know it yet */
    refused: boolean;
    /** for how many days the door of this page said that sound is kept */
    toldAudio: number;
    /** the code of what we speak, as the server has it; null: as the session has it */
    language: string | null;
    microphone: Device;
    camera: Device;
    /** whether this page has our microphone and call, or another one of ours */
    active: boolean;
    /** We have asked for them: what comes then is no surprise. */
    taking: boolean;
    /** Our login has ended: until we are back nothing is heard or sent. */
    signedOut: boolean;
    left: boolean;
  };
  people: {
    /** everybody who is connected to the server, us included or not */
    here: Person[];
    /** whether the room itself has told who is here: a welcome may come before others are back */
    listed: boolean;
    /** who knocks, and who was denied; told to hosts only */
    waiting: Knock[];
    denied: Knock[];
    /** identities of who isn't transcribed, as they want it or haven't said; told to hosts only */
    untranscribed: string[];
  };
  /** everybody who is here as the page shows them, made of the other slices by roster.js */
  faces: { all: Face[] };
  session: Partial<SessionState> & {
    connection: ConnectionState;
    /** when the last connection began, in milliseconds of the page's clock */
    welcomedAt: number;
    /** when hosts had nothing transcribed, and whether that is so now */
    pauses: Pause[];
    paused: boolean;
    names: Names;
  };
  speech: {
    engine: Engine;
    /** what becomes of whose speech, as it was said last */
    of: ReadonlyMap<string, Speech>;
    /** of which the space has used up most of its minutes; told to hosts only */
    near: Period | null;
    /** whose captions have been in trouble for a while, by identity */
    troubled: ReadonlyMap<string, Speech>;
  };
  call: {
    state: CallState;
    /** why it is off or not as it should be */
    reason: string | null;
    /** everybody in the call; null without one */
    people: CallPerson[] | null;
    /** identities of those whom the call hears */
    voices: ReadonlySet<string>;
    /** by identity, of shared screens by `screenOf(identity)` */
    pictures: ReadonlyMap<string, HTMLElement>;
    /** whether we share our screen */
    sharing: boolean;
  };
  view: {
    panel: Panel | null;
    /** lines of the chat that nobody has looked at */
    unread: number;
    /** the code of the language that is read where it is there; '' for what is said as it is said */
    reads: string;
    /** whether all is shown as it was said for now, all the same */
    original: boolean;
  };
  notices: Record<Topic, Notice | null>;
}

/** What happens in a room and is over at once, by name. */
export interface Happenings {
  /** We are in. */
  joined: Ticket;
  /** We have left: microphone, camera, call and connection are given up. */
  left: void;
  /** We can't stay or come back just so: `ended`, `signed_out` or the code of a refusal. */
  over: string;
  /** A connection begins; what the last one left open is stale. */
  welcome: Welcome;
  utterance: Utterance;
  corrected: Corrected;
  translation: Translation;
  /** Words are to be shown anew: of this utterance, or of all. */
  reread: string | null;
  chat: ChatLine;
  /** The newest of our own lines was not taken. */
  chatRefused: void;
  reaction: { identity: string; emoji: string };
  /** A host muted us, or the server did. */
  muted: void;
  /** Of our own voice, while the microphone is on. */
  frame: Frame;
  /** Of our own voice, 0 to 1. */
  level: number;
  /** The call has put another track in our microphone's place. */
  restarted: MediaStreamTrack;
  /** We are who we were again. */
  signedIn: void;
  toast: { text: string; offer?: Offer; topic?: string };
}

/** What can be done in a room, by the name that a button has in `data-do`: static/js/room/actions.js. */
export interface Acts {
  microphone(how?: { on?: boolean }): Promise<boolean>;
  camera(how?: { on?: boolean }): Promise<boolean>;
  'open-microphone'(): Promise<boolean>;
  'open-camera'(): Promise<boolean>;
  share(): void;
  'stop-sharing'(): void;
  'retry-call'(): void;
  'start-sound'(): void;
  hand(): boolean;
  react(what: { emoji: string }): boolean;
  chat(what: { text: string }): boolean;
  take(): void;
  panel(which: { panelButton: Panel }): void;
  'open-chat'(): void;
  'close-panel'(): void;
  subtitles(): void;
  speak(what: { language: string | null }): void;
  read(what: { language: string }): void;
  original(): void;
  'full-screen'(): void;
  settings(): void;
  shortcuts(): void;
  /** to somebody, as a host */
  act(what: { action: HostAction; identity: string; name: string }): void;
  'admit-all'(): void;
  'mute-all'(): void;
  'consent-yes'(): void;
  'consent-no'(): void;
  pause(): void;
  resume(): void;
  /** who may come in; whether the server took it */
  door(fields: Record<string, string>): Promise<boolean>;
  leave(how: unknown, click: Event): void;
  'leave-anyway'(): void;
  'end-and-leave'(): void;
  end(): void;
  'end-for-all'(): void;
  'sign-in'(): void;
  'start-anew'(): void;
}

/** A way that sound and picture can take to LiveKit. */
export type Path = 'udp' | 'tcp' | 'turn-udp' | 'turn-tls';
export type DeviceResult = 'ok' | 'blocked' | 'missing' | 'busy' | 'silent' | 'unheard' | 'failed' | 'untested';

/** What came of trying one path to LiveKit. */
export interface Tried {
  path: Path;
  signal: 'ok' | 'refused' | 'unreachable' | 'failed';
  works: boolean;
  /** in milliseconds */
  took: number;
  /** what LiveKit offers, of all paths */
  candidates: { protocol: string; address: string; port: number; type: string }[];
  /** of its STUN and TURN servers */
  urls: string[];
  /** by which kinds of candidates it works; `relay` is the protocol that leads to one, `rtt` in milliseconds */
  pair: { local: string; remote: string; protocol: string; relay: string | null; rtt: number | null } | null;
}

/** What the connection test knows: static/js/connection/verdict.js says what it means. */
export interface Facts {
  /** whether the browser can make calls at all */
  webrtc: boolean;
  /** what our own server answered */
  server: 'ok' | 'away' | 'limited' | 'refused' | 'failed' | 'untested';
  /** what our server met when it asked LiveKit itself, with its own key; `off`: it has no calls, by choice */
  call: 'off' | 'ok' | 'unreachable' | 'refused' | 'failed';
  /** whether a browser can use LiveKit's address from this page */
  address: 'ok' | 'insecure' | 'local';
  /** LiveKit's address as browsers are told it, without a path */
  host: string;
  socket: 'ok' | 'blocked' | 'cut' | 'mangled' | 'untested';
  /** what the page met when it asked LiveKit to be let in */
  signal: Tried['signal'] | 'untested';
  /** `none`: the server offers no such way */
  paths: Record<Path, 'ok' | 'failed' | 'none' | 'untested'>;
  addresses: Tried['candidates'];
  microphone: DeviceResult;
  camera: DeviceResult;
  speaker: DeviceResult;
}

/** Something that is so, and who could change it; `between`: the person's network or the server, one can't tell which. */
export interface Verdict {
  code: string;
  blame: 'nobody' | 'browser' | 'device' | 'network' | 'between' | 'server';
  values: Record<string, string>;
}

declare global {
  // livekit-client's own typings are not vendored; its surface is used in room/call.js and connection/paths.js only.
  const LivekitClient: any;

  // The scope of an AudioWorklet module.
  const sampleRate: number;
  class AudioWorkletProcessor {
    readonly port: MessagePort;
  }
  function registerProcessor(name: string, processor: new (options: AudioWorkletNodeOptions) => AudioWorkletProcessor): void;
}
