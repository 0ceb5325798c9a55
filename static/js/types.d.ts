/** The wire messages of docs/protocol.md, and what the browser's own typings leave out. */

export type Role = 'HOST' | 'MEMBER' | 'GUEST';
export type SpeechState = 'ready' | 'listening' | 'delayed' | 'paused' | 'failed';

export interface Person {
  identity: string;
  name: string;
  role: Role;
  hue: number;
}

export interface Engine {
  name: string;
  health: 'ok' | 'degraded' | 'off';
  reason: string | null;
}

export interface SessionState {
  status: 'CREATED' | 'LIVE' | 'ENDED' | 'EXPIRED';
  slug?: string;
  title?: string | null;
  started_at?: string | null;
  reason?: string;
}

export interface Welcome {
  type: 'welcome';
  session: SessionState;
  you: Person;
  received: number;
  seq: number;
  engine: Engine;
  people: Person[];
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
}

export interface Speech {
  type: 'speech';
  identity: string;
  state: SpeechState;
  reason: string | null;
  since: string;
}

export type ServerMessage =
  | Welcome
  | Utterance
  | Speech
  | { type: 'people'; people: Person[] }
  | ({ type: 'session' } & SessionState)
  | { type: 'insights'; title: string | null; topics: unknown[] }
  | { type: 'settled'; index: number }
  | { type: 'error'; code: string; message: string };

export interface Door {
  url: string;
  token: string;
}

/** The answer of POST /s/{slug}/join. */
export interface Ticket {
  you: Person;
  session: SessionState;
  transcription: Door;
  video: Door | null;
}

/** What the worklet posts per frame: `frame` is a whole audio message of the protocol. */
export interface Frame {
  index: number;
  frame: ArrayBuffer;
  peak: number;
}

declare global {
  // livekit-client's own typings are not vendored; its surface is used in room/video.js only.
  const LivekitClient: any;

  // The scope of an AudioWorklet module.
  const sampleRate: number;
  class AudioWorkletProcessor {
    readonly port: MessagePort;
  }
  function registerProcessor(name: string, processor: new (options: AudioWorkletNodeOptions) => AudioWorkletProcessor): void;
}
