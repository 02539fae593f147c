/**
 * What the view sees of a room (docs/protocol.md): `Room` in room.js keeps to this, and so does the scripted room
 * that the view is tested with. Nothing here names a key, a token or an epoch's number; a person is known by their
 * signer, a link by its id.
 *
 * Events of a room: `phase`, `connection`, `info`, `people`, `compared`, `links`, `sending`, `alarms`, `entries`, whose `detail` is
 * a `Changes` of log.js, and `files`, whose `detail` is a `Progress` of files.js.
 */

import type { Connection } from '../wire/stream.js';
import type { Pin, SentFile } from '../crypto/content.js';
import type { Comparison } from './comparing.js';
import type { Chosen } from './files.js';
import type { Draft, Notify, Removal } from '../storage/store.js';
import type { Changes, Common, Entry, MessageEntry } from './log.js';

/**
 * - `opening`: nothing is known yet.
 * - `invited`: a link that only a click may open. Nothing is known of the room; `join` opens the link and enters.
 * - `preview`: the link was opened, the room is known, and `join` enters.
 * - `open`: one is in.
 * - `link_ended`: the link gives nothing any more; `linkEnded` says why.
 * - `not_here`: nothing behind this link: mistyped, taken back, or the room is gone.
 * - `removed`: the owner renewed the keys without this person; `removal` says more. Nothing of the room is shown.
 * - `gone`: the room is no more; `goneReason` says why.
 * - `unreachable`: no answer yet.
 * - `mistrusted`: what the server gives for this link does not belong to it, and nothing of it was used.
 */
export type Phase =
  | 'opening'
  | 'invited'
  | 'preview'
  | 'open'
  | 'link_ended'
  | 'not_here'
  | 'removed'
  | 'gone'
  | 'unreachable'
  | 'mistrusted';

/** Whose doing something was: a statement that the owner signed, or the server's without one. */
export type Doer = 'owner' | 'server';

export interface RoomInfo {
  title: string;
  locked: boolean;
  messageTtlS: number | null;
  /** What the owner set: seconds after the last event; null: not known. */
  expiresInS: number | null;
  /** By the server's word, in Unix milliseconds. */
  expiresAtMs: number;
  createdAtMs: number;
  firstSeq: number;
  lastSeq: number;
  /** The signer that the room's id names; null where it is not known yet. */
  owner: string | null;
  /** What the owner pinned, the newest last; whether it is still there, pins.js says. */
  pins: readonly Pin[];
}

/** Somebody with a card in the epoch that is in force, whom the owner kept, the owner, or oneself. */
export interface Person {
  signer: string;
  author: string | null;
  /** Cleaned; empty where none is known. */
  name: string;
  /** Another signer used this name first. */
  taken: boolean;
  own: boolean;
  owner: boolean;
  here: boolean;
  typing: boolean;
  /** The name of the link that they say they came by, for the owner's eyes; null: not said, or not known. A hint only. */
  via: string | null;
  /** What was compared with them, or with another key of their name; null: nothing. */
  compared: Comparison | null;
}

/** A link as its owner sees it. */
export interface Link {
  id: string;
  /** What the owner called it; empty for none. */
  name: string;
  role: 'member' | 'reader';
  /** The one that members pass on. */
  isRoomLink: boolean;
  /** Null: it is not one that this owner made, and the next renewal drops it. */
  url: string | null;
  /** How often it was opened; roughly where `openings` is null. */
  opened: number;
  /** The most; null: any number. */
  openings: number | null;
  createdAtMs: number;
  openedAtMs: number | null;
  expiresAtMs: number | null;
  ended: 'expired' | 'used_up' | null;
}

/** `openings`: 1 to 1,000, null for any number. `expiresInS`: seconds from now, null for never. */
export interface NewLink {
  name: string;
  role: 'member' | 'reader';
  openings: number | null;
  expiresInS: number | null;
}

/** Somebody who stays or not when the keys are renewed. */
export interface Guest extends Person {
  /** Ticked beforehand: kept at the last renewal, or their card was seen by this device before the trouble. */
  trusted: boolean;
}

/** What a renewal is to settle. The owner always stays. */
export interface Renewal {
  /** Signers who are shut out for good, by name in the rotation. */
  remove: string[];
  /** Signers who stay. Who is in neither list is left out, and may return by a link. */
  stay: string[];
  /** Ids of the links that stay; all others are taken back. If the room's link is not among them, there is a new one. */
  links: string[];
  /** Whether newcomers may read what was said before. */
  sharePast: boolean;
}

export interface Renewed {
  /** Names of those who were to stay and could not be given the new keys. */
  leftOut: string[];
  /** The room's link as it is now. */
  roomLink: string;
}

/**
 * Something that holds for the whole room and stands in no place of its log. Those that have a place are entries
 * of type `alarm`.
 *
 * - `bad_rotation`: what the server gave as new keys is not of the owner, or does not follow what is known.
 * - `two_rotations`: two renewals of the owner for the same time; `choose` follows the other one.
 * - `claims_gone`: the server says the room is gone and has no farewell of the owner to show.
 * - `fork`: somebody who is here sees another log; `by` is their signer.
 * - `server_state`: the server does something else than the owner signed: `lock`, `lifetime` or `expiry` in `detail`.
 * - `set_back`: the server does not know renewals that are known here, as after a restored backup.
 * - `left_waiting`: the owner gave this person new keys, and the server kept them back; a link led on.
 */
export interface Alarm {
  id: string;
  code: 'bad_rotation' | 'two_rotations' | 'set_back' | 'claims_gone' | 'fork' | 'server_state' | 'left_waiting';
  by: string | null;
  detail: string | null;
  atMs: number;
}

/**
 * What is wrong with an entry, shown below it where it happened (trust.js decides):
 *
 * - `window`: what its signer had seen is not what the server shows here: the server's doing, or their page's.
 * - `after`: its signer's own post before it, which the server had acknowledged, is not there.
 * - `repeated`, `reused`: the same id came twice, with the same or with other content; the first counts.
 * - `blanked`: erased, and nobody who might do that did.
 * - `epoch`: sealed with keys that were not in force where it stands.
 * - `signer`: by somebody who was never let in by a link to take part.
 */
export type EntryAlarm = 'window' | 'after' | 'repeated' | 'reused' | 'blanked' | 'epoch' | 'signer';

/**
 * Entries of the log that are new with signed statements, beside those of log.js. `Common` gains
 * `alarm: EntryAlarm | null`, which takes the place of a message's `withheld`; a message that was blanked by nobody
 * who may stays `removed` by `server`.
 */
export type StatementEntry =
  /** The owner's signed word, or what the server did without one. Only what changed is in `changes`. */
  | (Common & {
      type: 'change';
      doer: Doer;
      changes: { title?: string; locked?: boolean; messageTtlS?: number | null; expiresInS?: number; pinned?: boolean };
    })
  /** The keys were renewed. `removed`: names of those shut out; `sharedPast`: newcomers can read what was said before. */
  | (Common & { type: 'rotate'; removed: string[]; sharedPast: boolean })
  /** What was said before this cannot be read by who came later: one divider, no more. */
  | (Common & { type: 'unshared' })
  /** Somebody is there for the first time, or goes by another name (`before`) from here on. */
  | (Common & { type: 'card'; before: string | null })
  /**
   * Events that should be here: `gap` that no signed lifetime explains; `own` of this device, acknowledged, not there;
   * `diverged`: the server's log is another one from here on. `kept`: own copies.
   */
  | (Common & { type: 'lost'; how: 'gap' | 'own' | 'diverged'; kept: Entry[] });

/** All that may stand in the list. */
export type ShownEntry = Entry | StatementEntry;

export interface Sending {
  /** What is still to be sent. */
  count: number;
  code: string | null;
  waitingUntilMs: number | null;
  /** Some of it is in memory only. */
  unkept: boolean;
}

export interface RoomFacade extends EventTarget {
  readonly room: string;
  readonly phase: Phase;
  readonly role: 'owner' | 'member' | 'reader';
  readonly isOwner: boolean;
  readonly canWrite: boolean;
  /** One's own signer; null for a reader. */
  readonly ownSigner: string | null;
  readonly yourName: string;
  /** What only this browser calls it. */
  readonly label: string;
  readonly displayName: string;
  readonly carriesIdentity: boolean;
  readonly ownerLinkKept: boolean;
  /** Of what this browser tells while nobody looks. */
  readonly notify: Notify;
  /** Neither told of nor counted. */
  readonly muted: boolean;
  /** One wants to be told of all messages where no tab of Buddy is open, too. */
  readonly push: boolean;

  /** `deleted` and `expired` are shown to be so; `unknown` is the server's word alone. */
  readonly goneReason: 'deleted' | 'expired' | 'unknown' | null;
  readonly linkEnded: 'expired' | 'used_up' | null;
  /**
   * `removed`: by name. `left_out`: a renewal without this person, who may return by a link. `unsent`: their own words
   * that nobody else has read.
   */
  readonly removal: Removal | null;

  readonly connection: Connection;
  /** Whether all up to the server's last event was shown once since the room was opened: until then it loads. */
  readonly loaded: boolean;
  readonly info: RoomInfo;
  readonly sending: Sending;
  readonly alarms: readonly Alarm[];
  /** All whom cards name, and who is here; the owner first, oneself last. */
  readonly people: readonly Person[];

  readonly entries: readonly Entry[];
  readonly hasOlder: boolean;
  entry(seq: number): Entry | undefined;
  loadOlder(): Promise<number>;
  loadUntil(seq: number): Promise<boolean>;

  /** Everything up to here was read. */
  readonly readSeq: number;
  markRead(seq: number): Promise<void>;

  open(): Promise<void>;
  join(name: string): Promise<void>;
  close(): void;
  setVisible(visible: boolean): void;

  /** With a file the text may be empty. Throws a `FileError` for one that is too large. */
  send(text: string, more?: { replyTo?: number; file?: Chosen }): Promise<string>;
  /** Fetches and opens a file; it says nothing of how that is to be shown. Throws an `ApiError`, or `Damaged`. */
  readFile(file: SentFile, more?: { signal?: AbortSignal; progress?: (share: number) => void }): Promise<Blob>;
  /**
   * What is loaded as a signed copy (docs/protocol.md), with its files if they are wanted; `missing` counts those that
   * the server has no more. `progress` is told of the files, 0 to 1. Throws an `ApiError`.
   */
  signedCopy(how: {
    files: boolean;
    signal: AbortSignal;
    progress: (share: number) => void;
  }): Promise<{ copy: Blob; missing: number }>;
  edit(seq: number, text: string): Promise<string>;
  remove(seq: number): Promise<string>;
  react(seq: number, emoji: string, on: boolean): Promise<string>;
  retry(clientId: string): Promise<void>;
  discard(clientId: string): Promise<void>;
  typing(): void;
  typingStopped(): void;
  draft(): Promise<Draft>;
  saveDraft(text: string, replyTo: number | null): void;

  /** With whom words were compared in this browser. Its event `compared` says that it changed. */
  comparison(person: { signer: string; name: string }): Comparison | null;
  setCompared(person: { signer: string; name: string }, compared: boolean): Promise<void>;
  setName(name: string): Promise<void>;
  setLabel(label: string): Promise<void>;
  setOwnerLinkKept(): Promise<void>;
  setNotify(notify: Notify, muted: boolean): Promise<void>;
  /** Whether the server can reach browsers in which no tab is open. Throws an `ApiError`. */
  offersPush(): Promise<boolean>;
  /** Throws an `ApiError` or a `PushError` where nothing will be pushed. */
  setPush(wanted: boolean): Promise<void>;
  /** Keeps what is registered in step with what holds by now; `anew`: as far as that is not known. Never rejects. */
  keepPush(how?: { anew?: boolean }): Promise<void>;
  /** Of these, the messages that this tab is to tell of now: none of them was read, or told of by another tab. */
  claimNotices(entries: readonly Entry[]): Promise<MessageEntry[]>;

  /**
   * Links for oneself. `invite` is the room's link, for members and the owner; null where none is known. `owner` and
   * `device` as the role allows.
   */
  ownLinks(): Promise<{ invite: string | null; owner: string | null; device: string | null }>;

  /** The owner's. All throw an `ApiError`. */
  links(): Promise<Link[]>;
  makeLink(link: NewLink): Promise<Link>;
  /** Who could stay, in the order of `people`, without the owner. */
  guests(): Promise<Guest[]>;
  renew(renewal: Renewal): Promise<Renewed>;
  change(changes: {
    locked?: boolean;
    title?: string;
    expiresInS?: number;
    messageTtlS?: number | null;
    pins?: Pin[];
  }): Promise<void>;
  destroy(): Promise<void>;

  /** Follows the other one of two renewals (`two_rotations`). */
  choose(alarm: string): Promise<void>;
}

export type { Changes, Connection, Draft, Entry };
