/** The wire messages of docs/protocol.md, and what the browser's own typings leave out. */

export type Role = 'HOST' | 'MEMBER' | 'GUEST';
export type Admission = 'ANYONE' | 'KNOCK' | 'MEMBERS';
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
  /** In the answer of POST /s/{slug}/join: whether anybody else is or was in it. */
  others_came?: boolean;
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
}

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
  | Speech
  | ChatLine
  | { type: 'people'; people: Person[]; waiting?: Knock[]; denied?: Knock[] }
  | { type: 'reaction'; identity: string; emoji: string }
  | { type: 'muted' }
  | { type: 'active'; on: boolean }
  | { type: 'beat' }
  | ({ type: 'session' } & SessionState)
  | { type: 'settled'; index: number }
  | { type: 'error'; code: string; seconds?: number; detail?: string };

/** What a page says besides audio, `hello` and `mic`. */
export type Remark =
  | { type: 'take' }
  | { type: 'chat'; text: string }
  | { type: 'hand'; up: boolean }
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

/** What the worklet posts per frame: `frame` is a whole audio message of the protocol. */
export interface Frame {
  index: number;
  frame: ArrayBuffer;
  peak: number;
}

declare global {
  // livekit-client's own typings are not vendored; its surface is used in room/call.js only.
  const LivekitClient: any;

  // The scope of an AudioWorklet module.
  const sampleRate: number;
  class AudioWorkletProcessor {
    readonly port: MessagePort;
  }
  function registerProcessor(name: string, processor: new (options: AudioWorkletNodeOptions) => AudioWorkletProcessor): void;
}
