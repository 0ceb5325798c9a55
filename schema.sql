-- The whole schema. Every statement may run again: it is applied at each start under an advisory lock.
-- A new column is written twice: in its table, for new databases, and in the section at the end, for
-- those that have the table already. tests/ops/test_schema.py compares what comes of the two.

CREATE TABLE IF NOT EXISTS users (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    email       text NOT NULL,
    hue         smallint NOT NULL CHECK (hue BETWEEN 0 AND 11),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Since when an operator lets this person in no more; NULL: they may come in.
    disabled_at timestamptz,
    -- Of their pages, as a code such as `ru`; NULL: what the browser asks for.
    language    text CHECK (char_length(language) <= 8),
    -- Whether they run this server: whoever made the first account by a one-time link.
    administrator boolean NOT NULL DEFAULT false,
    -- Whether they chose their name here; else it follows the provider's at each sign-in.
    name_chosen boolean NOT NULL DEFAULT false,
    -- Of their pages; NULL: as their system has it.
    theme       text CHECK (theme IN ('LIGHT', 'DARK')),
    -- How captions look to them, in whatever browser: the room's choices by their names.
    captions    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(captions) = 'object'),
    -- Their picture's id in `avatars`, which is its address; NULL: initials stand for them.
    avatar      uuid,
    -- When the steps after the first sign-in were done or skipped. NULL: they are still offered.
    welcomed_at timestamptz,
    -- Whether an invitation let them in, although ALLOWED_EMAILS and the like name others.
    invited     boolean NOT NULL DEFAULT false,
    -- What they speak in sessions, as a code; NULL: as each session has it.
    spoken      text CHECK (char_length(spoken) <= 8)
    -- space_id, the space that they work in, comes at the end: spaces are made below.
);

-- People's pictures, re-encoded by us: square WebP. A new one has a new id, so that it may be kept
-- by browsers for ever.
CREATE TABLE IF NOT EXISTS avatars (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     uuid NOT NULL UNIQUE REFERENCES users ON DELETE CASCADE,
    image       bytea NOT NULL CHECK (octet_length(image) <= 100000),
    changed_at  timestamptz NOT NULL DEFAULT now()
);

-- How a person proves to be a user. Found by the provider's own subject, never by e-mail.
CREATE TABLE IF NOT EXISTS accounts (
    provider    text NOT NULL,
    subject     text NOT NULL,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Where the provider says that a picture of them is: an offer, fetched when they take it.
    picture     text CHECK (char_length(picture) <= 1000),
    PRIMARY KEY (provider, subject)
);
-- This and others of users: who deletes an account has PostgreSQL look for what was theirs.
CREATE INDEX IF NOT EXISTS accounts_user ON accounts (user_id);

-- One-time links that were used, until a day after they have run out: core/one_time_link.py.
CREATE TABLE IF NOT EXISTS spent_links (
    id          bytea PRIMARY KEY,
    ends_at     timestamptz NOT NULL
);

-- A browser that is signed in. The key is a digest: who reads this table can't sign in with it.
-- Which of them count is said once, by the view open_logins at the end.
CREATE TABLE IF NOT EXISTS logins (
    key_digest  bytea PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at  timestamptz NOT NULL, -- however much it is used
    idle_at     timestamptz NOT NULL DEFAULT (now() + interval '14 days'), -- unless it is used before
    -- What its person sees of it and names it by; `agent` is the browser's own word for itself.
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    signed_in_at timestamptz NOT NULL DEFAULT now(),
    agent       text NOT NULL DEFAULT '' CHECK (char_length(agent) <= 300)
);
CREATE INDEX IF NOT EXISTS logins_user ON logins (user_id);

-- What lets a program act as a person, within its scope. The key is a digest, as that of a login.
CREATE TABLE IF NOT EXISTS api_tokens (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    scope       text NOT NULL CHECK (scope IN ('READ', 'WRITE')),
    key_digest  bytea NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    used_at     timestamptz
);
CREATE INDEX IF NOT EXISTS api_tokens_user ON api_tokens (user_id);

CREATE TABLE IF NOT EXISTS spaces (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Minutes of audio a month: what an administrator grants instead of SPACE_MINUTES_PER_MONTH, and
    -- what its owners chose, which counts where it is less. NULL: nothing was said.
    minutes_granted double precision CHECK (minutes_granted >= 0),
    minutes_chosen  double precision CHECK (minutes_chosen >= 0),
    -- What is asked at the door of its sessions before captions may hear somebody.
    consent     text NOT NULL DEFAULT 'OFF' CHECK (consent IN ('OFF', 'NOTICE', 'REQUIRED')),
    -- Of its sessions, as far as they don't say it themselves: what is spoken (NULL: as the
    -- installation has it) and into what it is translated, and beside theirs names and spellings.
    languages   text[],
    code_switching boolean NOT NULL DEFAULT false,
    vocabulary  text[] NOT NULL DEFAULT '{}',
    spelling    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(spelling) = 'object'),
    targets     text[],
    -- For how many days the sound of what is said in its sessions is kept; NULL: it isn't.
    audio_days  integer CHECK (audio_days BETWEEN 1 AND 365),
    -- For how many days after a session's end its words are kept; NULL: until somebody deletes it.
    text_days   integer CHECK (text_days BETWEEN 1 AND 3650)
);

CREATE TABLE IF NOT EXISTS members (
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role        text NOT NULL CHECK (role IN ('OWNER', 'MEMBER')),
    joined_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space_id, user_id)
);
CREATE INDEX IF NOT EXISTS members_user ON members (user_id);

-- Who may become a member: whoever has the link, or who signs in with this verified address. The
-- link is made of the id (core/signed_links.py), so that owners can copy it again.
CREATE TABLE IF NOT EXISTS invitations (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    invited_by  uuid REFERENCES users ON DELETE SET NULL,
    email       text CHECK (char_length(email) <= 254), -- in lower case; NULL: whoever has the link
    uses        integer NOT NULL DEFAULT 0,
    max_uses    integer NOT NULL CHECK (max_uses BETWEEN 1 AND 1000),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    CHECK (uses BETWEEN 0 AND max_uses)
);
CREATE INDEX IF NOT EXISTS invitations_space ON invitations (space_id, created_at DESC);
CREATE INDEX IF NOT EXISTS invitations_email ON invitations (email) WHERE email IS NOT NULL;
CREATE INDEX IF NOT EXISTS invitations_inviter ON invitations (invited_by)
    WHERE invited_by IS NOT NULL;

-- Who did what in a space, for its owners; kept 90 days. Names as they were then.
CREATE TABLE IF NOT EXISTS space_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT now(),
    actor       uuid REFERENCES users ON DELETE SET NULL,
    actor_name  text NOT NULL,
    act         text NOT NULL,
    subject     text NOT NULL DEFAULT '',
    detail      text NOT NULL DEFAULT '',
    -- Whether a program did it for them, by an API token.
    by_token    boolean NOT NULL DEFAULT false
);
CREATE INDEX IF NOT EXISTS space_events_space ON space_events (space_id, id DESC);
CREATE INDEX IF NOT EXISTS space_events_at ON space_events (at);
CREATE INDEX IF NOT EXISTS space_events_actor ON space_events (actor) WHERE actor IS NOT NULL;

-- A room of a space whose link never changes. It always has exactly one session that goes on or is
-- still to begin; what ends one makes the next.
CREATE TABLE IF NOT EXISTS standing_rooms (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug        text NOT NULL UNIQUE,
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    created_by  uuid REFERENCES users ON DELETE SET NULL,
    title       text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 120),
    admission   text NOT NULL DEFAULT 'KNOCK' CHECK (admission IN ('ANYONE', 'KNOCK', 'MEMBERS')),
    agenda      text NOT NULL DEFAULT '' CHECK (char_length(agenda) <= 4000),
    recurs      text NOT NULL DEFAULT '' CHECK (char_length(recurs) <= 120), -- a note: “Mondays at 9”
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now() -- which tells who changes it what they have seen
);
CREATE INDEX IF NOT EXISTS standing_rooms_space ON standing_rooms (space_id);
CREATE INDEX IF NOT EXISTS standing_rooms_creator ON standing_rooms (created_by)
    WHERE created_by IS NOT NULL;

CREATE TABLE IF NOT EXISTS sessions (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug        text NOT NULL UNIQUE,
    title       text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 120),
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    created_by  uuid REFERENCES users ON DELETE SET NULL,
    status      text NOT NULL DEFAULT 'CREATED'
                CHECK (status IN ('CREATED', 'LIVE', 'ENDED', 'EXPIRED')),
    -- What is spoken; NULL: as its space has it.
    languages   text[],
    vocabulary  text[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    ended_at    timestamptz,
    ended_by    uuid REFERENCES users ON DELETE SET NULL,
    end_reason  text CHECK (end_reason IN ('ADMIN_ENDED', 'AUTO_EMPTY_ROOM', 'EXPIRED_NO_JOIN')),
    -- Who may come in, and whether anybody new may at the moment.
    admission   text NOT NULL DEFAULT 'KNOCK' CHECK (admission IN ('ANYONE', 'KNOCK', 'MEMBERS')),
    locked      boolean NOT NULL DEFAULT false,
    -- Whether LiveKit may hold a room of it, and when a process last took it on to ask LiveKit.
    call_open   boolean NOT NULL DEFAULT false,
    polled_at   timestamptz,
    -- Asked of the speech engine beside languages and vocabulary: whether a speaker may go from one
    -- language to another, and right spellings, each with the wrong ones that it replaces.
    code_switching boolean NOT NULL DEFAULT false,
    spelling    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(spelling) = 'object'),
    -- For when it is planned, which is when its expiry begins to count; what it is about, and a note
    -- of when there are more like it; the standing room that it is a meeting of.
    planned_at  timestamptz,
    agenda      text NOT NULL DEFAULT '' CHECK (char_length(agenda) <= 4000),
    recurs      text NOT NULL DEFAULT '' CHECK (char_length(recurs) <= 120),
    standing_room uuid REFERENCES standing_rooms ON DELETE SET NULL,
    -- When its time, agenda or note was changed last, from when its expiry counts as well: the link
    -- of one that isn't planned any more would else be gone at once. NULL: never.
    replanned_at timestamptz,
    -- Since when a host has nothing transcribed; NULL: it is.
    paused_at   timestamptz,
    -- Into which languages it is translated; NULL: as its space has it.
    targets     text[],
    -- For how many days the sound of it is kept, as its space had it when it began; NULL: it isn't.
    audio_days  integer CHECK (audio_days BETWEEN 1 AND 365),
    -- Whether its words stay longer than its space keeps them, and when they were deleted.
    protected   boolean NOT NULL DEFAULT false,
    text_deleted_at timestamptz,
    -- Of one that was recorded elsewhere: since when its words have been here.
    uploaded_at timestamptz
);
-- A space's list, the newest first: see core/store/listed.py.
CREATE INDEX IF NOT EXISTS sessions_list ON sessions
    (space_id, coalesce(started_at, created_at) DESC, id);
CREATE INDEX IF NOT EXISTS sessions_space_open ON sessions (space_id)
    WHERE status IN ('CREATED', 'LIVE');
CREATE INDEX IF NOT EXISTS sessions_creator ON sessions (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS sessions_ender ON sessions (ended_by) WHERE ended_by IS NOT NULL;
-- Another index, sessions_open, is made at the end: it needs a column that older databases lack.

-- One person in one session. Guests have no user; a user has one row however often they join.
-- They are here while a page is connected or the call has them: each `…_seen_at` is NULL while that
-- is not so, else when it was last known. `left_at` is NULL exactly while somebody is here. Of who
-- waits to be let in and never was here, `page_seen_at` is when they knocked, as last noted.
CREATE TABLE IF NOT EXISTS participants (
    identity    text PRIMARY KEY,
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    user_id     uuid REFERENCES users ON DELETE SET NULL,
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    hue         smallint NOT NULL CHECK (hue BETWEEN 0 AND 11),
    role        text NOT NULL CHECK (role IN ('HOST', 'MEMBER', 'GUEST')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    joined_at   timestamptz,
    left_at     timestamptz,
    state       text NOT NULL DEFAULT 'ADMITTED'
                CHECK (state IN ('WAITING', 'ADMITTED', 'DENIED', 'REMOVED')),
    -- When a host decided, or who was denied asked again: hosts see the newest first.
    decided_at  timestamptz,
    page_seen_at timestamptz,
    call_seen_at timestamptz,
    -- What they answered last where the space asks whether captions may hear them, and when.
    consented_at timestamptz,
    refused_at  timestamptz,
    -- When a page first said that it showed them what becomes of what is said.
    noticed_at  timestamptz,
    -- What they say they speak, as a code; NULL: as the session has it.
    language    text CHECK (char_length(language) <= 8),
    UNIQUE (session_id, user_id)
);
CREATE INDEX IF NOT EXISTS participants_user ON participants (user_id);
CREATE INDEX IF NOT EXISTS participants_session ON participants (session_id);
CREATE INDEX IF NOT EXISTS participants_strangers ON participants (created_at)
    WHERE joined_at IS NULL;
CREATE INDEX IF NOT EXISTS participants_here ON participants (session_id)
    WHERE joined_at IS NOT NULL AND left_at IS NULL;

-- When hosts had nothing transcribed; the open one began at `sessions.paused_at`.
CREATE TABLE IF NOT EXISTS pauses (
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    paused_at   timestamptz NOT NULL,
    resumed_at  timestamptz CHECK (resumed_at >= paused_at),
    -- Who paused; NULL for a host who never was in the session.
    identity    text REFERENCES participants ON DELETE SET NULL,
    PRIMARY KEY (session_id, paused_at)
);
CREATE UNIQUE INDEX IF NOT EXISTS pauses_open ON pauses (session_id) WHERE resumed_at IS NULL;
CREATE INDEX IF NOT EXISTS pauses_identity ON pauses (identity);

-- A browser that is a guest of a session; its key is a digest, too. Who leaves for good has none.
-- Guests of before this table had their identity in the signed cookie: that is their key, so that
-- they stay who they are and can leave for good as well. Hence the question, which comes once.
DO $$ BEGIN
    IF to_regclass('guest_keys') IS NULL THEN
        CREATE TABLE guest_keys (
            key_digest  bytea PRIMARY KEY,
            identity    text NOT NULL UNIQUE REFERENCES participants ON DELETE CASCADE
        );
        INSERT INTO guest_keys (key_digest, identity)
            SELECT sha256(convert_to(identity, 'UTF8')), identity FROM participants
            WHERE user_id IS NULL;
    END IF;
END $$;

-- Final utterances. An engine's utterance id is unique within its stream only.
CREATE TABLE IF NOT EXISTS utterances (
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    stream      text NOT NULL,
    utterance   text NOT NULL,
    seq         integer NOT NULL,
    identity    text NOT NULL REFERENCES participants ON DELETE CASCADE,
    text        text NOT NULL,
    start_s     double precision NOT NULL,
    end_s       double precision NOT NULL,
    language    text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Which page said it, and its sample after the words: where a process that doesn't know the page
    -- goes on, so that a restart repeats no sentence.
    client      text NOT NULL DEFAULT '',
    until       bigint NOT NULL DEFAULT 0,
    -- Of a gap: seconds that could not be transcribed. Its text is empty.
    lost_s      double precision,
    PRIMARY KEY (session_id, stream, utterance),
    UNIQUE (session_id, seq)
);
-- This and the next two: who deletes a participant has PostgreSQL look for what is theirs.
CREATE INDEX IF NOT EXISTS utterances_identity ON utterances (identity);
-- A transcript is read in the order of its times, a window at a time.
CREATE INDEX IF NOT EXISTS utterances_time ON utterances (session_id, start_s, seq);

-- What utterances have become by corrections. Utterances themselves are never changed: one that has
-- rows here is read as these instead, a row for each part that it was split into, from 0 on.
CREATE TABLE IF NOT EXISTS corrected_lines (
    session_id  uuid NOT NULL,
    seq         integer NOT NULL,
    part        smallint NOT NULL CHECK (part BETWEEN 0 AND 99),
    -- The id of the correction that made it so, by which who corrects it says what they have seen:
    -- it never comes twice, also where a line was restored and corrected anew. Without a row: 0.
    revision    bigint NOT NULL CHECK (revision > 0),
    text        text NOT NULL,
    start_s     double precision NOT NULL,
    end_s       double precision NOT NULL,
    speaker     text NOT NULL, -- a participant's identity, or one of `speakers`
    hidden      boolean NOT NULL DEFAULT false,
    -- Of one that was joined to another, which has its words now: that one. It is read no more.
    joined_seq  integer,
    joined_part smallint,
    PRIMARY KEY (session_id, seq, part),
    FOREIGN KEY (session_id, seq) REFERENCES utterances (session_id, seq) ON DELETE CASCADE,
    CHECK ((joined_seq IS NULL) = (joined_part IS NULL))
);
CREATE INDEX IF NOT EXISTS corrected_lines_time ON corrected_lines (session_id, start_s, seq, part);

-- Who speaks in a session, where that isn't a participant by their own name: a participant who was
-- renamed (`speaker` is their identity), or somebody who had no microphone of their own.
CREATE TABLE IF NOT EXISTS speakers (
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    speaker     text NOT NULL CHECK (char_length(speaker) BETWEEN 1 AND 80),
    -- NULL: several people in one room, whom nobody has named.
    name        text CHECK (char_length(name) BETWEEN 1 AND 80),
    hue         smallint NOT NULL CHECK (hue BETWEEN 0 AND 11),
    revision    bigint NOT NULL DEFAULT 1 CHECK (revision > 0), -- as that of corrected_lines
    PRIMARY KEY (session_id, speaker)
);

-- Each correction: who, when, and what the line or the speaker was before and after.
CREATE TABLE IF NOT EXISTS corrections (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT now(),
    user_id     uuid REFERENCES users ON DELETE SET NULL, -- NULL: a guest who hosted
    name        text NOT NULL, -- of who corrected, as it was then
    kind        text NOT NULL
                CHECK (kind IN ('RENAME', 'EDIT', 'ASSIGN', 'HIDE', 'SHOW', 'SPLIT', 'JOIN', 'RESTORE')),
    seq         integer, -- of the line; NULL: it was a speaker
    part        smallint,
    before      jsonb NOT NULL,
    after       jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS corrections_session ON corrections (session_id, id DESC);
CREATE INDEX IF NOT EXISTS corrections_line ON corrections (session_id, seq, part)
    WHERE seq IS NOT NULL;
CREATE INDEX IF NOT EXISTS corrections_user ON corrections (user_id) WHERE user_id IS NOT NULL;

-- Finals in other languages. They may be stored before the utterance that they are of, which isn't
-- referred to for that reason: whose it is decides when they go.
CREATE TABLE IF NOT EXISTS translations (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    stream      text NOT NULL,
    utterance   text NOT NULL,
    language    text NOT NULL CHECK (char_length(language) BETWEEN 2 AND 8),
    identity    text NOT NULL REFERENCES participants ON DELETE CASCADE,
    text        text NOT NULL,
    PRIMARY KEY (session_id, stream, utterance, language)
);
CREATE INDEX IF NOT EXISTS translations_identity ON translations (identity);

-- Links by which who has one reads a transcript without an account, until then or until they are
-- revoked. The link is made of the id (core/signed_links.py), so that it can be copied again.
CREATE TABLE IF NOT EXISTS shared_links (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    created_by  uuid REFERENCES users ON DELETE SET NULL, -- NULL: a guest who hosted, or who is gone
    maker       text NOT NULL CHECK (char_length(maker) BETWEEN 1 AND 80), -- their name then
    chat        boolean NOT NULL DEFAULT false, -- whether the chat is shown as well
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    -- How often the page was opened, once a day by each browser, and when it was last.
    openings    integer NOT NULL DEFAULT 0,
    opened_at   timestamptz
);
CREATE INDEX IF NOT EXISTS shared_links_session ON shared_links (session_id, created_at DESC);
CREATE INDEX IF NOT EXISTS shared_links_maker ON shared_links (created_by)
    WHERE created_by IS NOT NULL;

-- What one stream sent to its engine and got back: the base of usage and cost.
CREATE TABLE IF NOT EXISTS streams (
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    stream      text NOT NULL,
    identity    text NOT NULL REFERENCES participants ON DELETE CASCADE,
    engine      text NOT NULL,
    opened_at   timestamptz NOT NULL,
    closed_at   timestamptz NOT NULL,
    sent_s      double precision NOT NULL,
    frames      integer NOT NULL,
    partials    integer NOT NULL,
    finals      integer NOT NULL,
    errors      integer NOT NULL,
    reconnects  integer NOT NULL DEFAULT 0,
    -- Of a minute, when it was sent. NULL: an earlier release stored it, and space_usage lacks it yet.
    price       double precision,
    PRIMARY KEY (session_id, stream)
);
CREATE INDEX IF NOT EXISTS streams_closed ON streams (closed_at);
CREATE INDEX IF NOT EXISTS streams_identity ON streams (identity);

-- What each session sent on each day of UTC, and what that cost at the price of that time. Added to
-- with each stream, so that a month's bill is read from a row for a session and not from all its
-- streams. It is a ledger: to delete a session gives no minutes back.
CREATE TABLE IF NOT EXISTS space_usage (
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    day         date NOT NULL,
    session_id  uuid NOT NULL,
    engine      text NOT NULL,
    sent_s      double precision NOT NULL,
    cost        double precision NOT NULL,
    PRIMARY KEY (space_id, day, session_id, engine)
);
CREATE INDEX IF NOT EXISTS space_usage_day ON space_usage (day);

-- LiveKit's webhooks that were acted on: it sends some twice.
CREATE TABLE IF NOT EXISTS livekit_events (
    id          text PRIMARY KEY,
    received_at timestamptz NOT NULL
);

-- Rooms of LiveKit whose sessions were deleted: they may still be there, or be made anew by a pass
-- that somebody has. They are closed until no pass is left: see core/store/deleted_calls.py.
CREATE TABLE IF NOT EXISTS deleted_calls (
    slug        text PRIMARY KEY,
    deleted_at  timestamptz NOT NULL DEFAULT now(),
    polled_at   timestamptz
);

CREATE TABLE IF NOT EXISTS chat_messages (
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    id          integer NOT NULL,
    identity    text NOT NULL REFERENCES participants ON DELETE CASCADE,
    text        text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 2000),
    sent_at     timestamptz NOT NULL,
    PRIMARY KEY (session_id, id)
);
CREATE INDEX IF NOT EXISTS chat_messages_identity ON chat_messages (identity);

-- Whose a session's room is. A node that hasn't renewed its lease for 15 s may be followed by another;
-- each owner has an epoch, under which it writes what is said.
CREATE TABLE IF NOT EXISTS rooms (
    session_id  uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    node        text NOT NULL,
    epoch       bigint NOT NULL,
    renewed_at  timestamptz NOT NULL
);

-- What an AI has made of a session: a title and topics while it went on, the rest of its end. Topics
-- are objects with a label and `start`, the second of the session; tasks and risks are lines.
CREATE TABLE IF NOT EXISTS analyses (
    session_id  uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    title       text CHECK (char_length(title) BETWEEN 1 AND 120),
    current_topic text CHECK (char_length(current_topic) BETWEEN 1 AND 200),
    topics      jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(topics) = 'array'),
    status      text CHECK (status IN ('PENDING', 'RUNNING', 'DONE', 'FAILED')),
    summary     text CHECK (char_length(summary) BETWEEN 1 AND 20000),
    tasks       jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(tasks) = 'array'),
    risks       jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(risks) = 'array')
);

-- What was copied from the product that this one replaces: the id there and the one here, also of
-- what was deleted here since, so that copying again brings nothing back.
CREATE TABLE IF NOT EXISTS imported (
    kind        text NOT NULL
                CHECK (kind IN ('user', 'space', 'member', 'session', 'participant')),
    source      text NOT NULL,
    ours        text NOT NULL,
    PRIMARY KEY (kind, source)
);
CREATE INDEX IF NOT EXISTS imported_ours ON imported (kind, ours);

-- The sound of what was said, in files: each has what one page sent, from one of its samples on. The
-- file is at `place`, a DATA_DIR or a bucket (core/audio), under its session and id. Without any
-- bytes there is none: sound that couldn't be kept.
CREATE TABLE IF NOT EXISTS recordings (
    id          uuid PRIMARY KEY,
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    identity    text NOT NULL REFERENCES participants ON DELETE CASCADE,
    client      text NOT NULL,
    first_sample bigint NOT NULL,
    samples     bigint NOT NULL CHECK (samples > 0), -- 16,000 a second
    start_s     double precision NOT NULL, -- second of the session at which it begins
    bytes       bigint NOT NULL,
    place       text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    tried_at    timestamptz -- when a process last took it on to move it into the bucket
);
CREATE INDEX IF NOT EXISTS recordings_page ON recordings
    (session_id, identity, client, first_sample);
CREATE INDEX IF NOT EXISTS recordings_identity ON recordings (identity);
CREATE INDEX IF NOT EXISTS recordings_place ON recordings (place, created_at, id);
CREATE INDEX IF NOT EXISTS recordings_expiry ON recordings (expires_at);

-- Files of recordings that are no more, until they are no more either: a bucket may be away.
CREATE TABLE IF NOT EXISTS discarded_recordings (
    id          uuid NOT NULL,
    session_id  uuid NOT NULL,
    place       text NOT NULL,
    discarded_at timestamptz NOT NULL DEFAULT now(),
    tried_at    timestamptz,
    PRIMARY KEY (id, place)
);
CREATE INDEX IF NOT EXISTS discarded_recordings_turn ON discarded_recordings
    (place, tried_at NULLS FIRST);

-- However a recording's row goes, by its age, with its session or with its space, its file goes too.
CREATE OR REPLACE FUNCTION discard_recording() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO discarded_recordings (id, session_id, place)
        SELECT OLD.id, OLD.session_id, OLD.place WHERE OLD.bytes > 0
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'recordings_discarded' AND tgrelid = CAST('recordings' AS regclass)
    ) THEN
        CREATE TRIGGER recordings_discarded AFTER DELETE ON recordings
            FOR EACH ROW EXECUTE FUNCTION discard_recording();
    END IF;
END $$;

-- What search finds: a row for each title, each line as it is read now, each translation that is
-- shown of one, and each message of the chat, kept by the triggers below in the same transaction as
-- what it is made of. `seq` is a line's, or a message's id; a line's `part` is that of
-- `corrected_lines`.
CREATE TABLE IF NOT EXISTS search_lines (
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('TITLE', 'LINE', 'CHAT')),
    seq         integer NOT NULL,
    part        smallint NOT NULL,
    space_id    uuid NOT NULL,
    speaker     text, -- as in `corrected_lines`; NULL: a title, which nobody says
    at          timestamptz NOT NULL,
    -- Whether words are kept by their stems, as of Russian and English, or as they are.
    stemmed     boolean NOT NULL,
    words       tsvector NOT NULL, -- and two marks: see search_vector
    language    text NOT NULL DEFAULT '', -- of a translation; '': as it was said
    PRIMARY KEY (session_id, kind, seq, part, language)
);
-- What was changed since it was last sorted in is read by every search from one end to the other:
-- hence little of that, in kB.
CREATE INDEX IF NOT EXISTS search_lines_words ON search_lines USING gin (words)
    WITH (gin_pending_list_limit = 512);
-- How common a word is decides how it is looked for. PostgreSQL counts ten times so many of them.
ALTER TABLE search_lines ALTER COLUMN words SET STATISTICS 400;

-- Sessions of before there was search, which have rows in `search_lines` up to this `seq`: a job
-- goes through them, the newest first. Hence the question, which comes once.
DO $$ BEGIN
    IF to_regclass('search_waiting') IS NULL THEN
        CREATE TABLE search_waiting (
            session_id  uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
            turn        timestamptz NOT NULL,
            seq         integer NOT NULL DEFAULT 0
        );
        INSERT INTO search_waiting (session_id, turn)
            SELECT id, coalesce(started_at, created_at) FROM sessions WHERE status <> 'EXPIRED';
    END IF;
END $$;
CREATE INDEX IF NOT EXISTS search_waiting_turn ON search_waiting (turn DESC);

-- Recordings that somebody uploads, each until it has become a session; rows of those that have go
-- after a day. Their files are in `uploads` of a DATA_DIR, `place`: whoever has that transcribes them.
CREATE TABLE IF NOT EXISTS uploads (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    created_by  uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    title       text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 120),
    recorded_at timestamptz, -- NULL: as its files say
    -- What is spoken, as of sessions.
    languages   text[],
    code_switching boolean NOT NULL DEFAULT false,
    vocabulary  text[] NOT NULL DEFAULT '{}',
    spelling    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(spelling) = 'object'),
    targets     text[],
    state       text NOT NULL DEFAULT 'COLLECTING'
                CHECK (state IN ('COLLECTING', 'WAITING', 'WORKING', 'DONE', 'FAILED')),
    -- Why it waits although it began, or has failed: a code, and what it was about.
    reason      text CHECK (char_length(reason) <= 300),
    place       text NOT NULL,
    session_id  uuid REFERENCES sessions ON DELETE CASCADE, -- once it was started
    -- Which process works on it, and until when no other may; how often it was tried in vain.
    taken_by    text,
    taken_until timestamptz,
    tries       integer NOT NULL DEFAULT 0,
    retry_at    timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now() -- when anything of it came, or was done
);
CREATE INDEX IF NOT EXISTS uploads_space ON uploads (space_id, created_at DESC);
CREATE INDEX IF NOT EXISTS uploads_creator ON uploads (created_by);
CREATE INDEX IF NOT EXISTS uploads_session ON uploads (session_id) WHERE session_id IS NOT NULL;

-- Its files, and who speaks in each: one by one name, or each channel by its own.
CREATE TABLE IF NOT EXISTS upload_files (
    upload_id   uuid NOT NULL REFERENCES uploads ON DELETE CASCADE,
    number      smallint NOT NULL,
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    bytes       bigint NOT NULL CHECK (bytes > 0), -- that it has
    received    bigint NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND bytes),
    modified_at timestamptz, -- as the browser says of the file
    -- Once all of it is here: how long it is, and its channels; or a code of why it can't be read.
    seconds     double precision,
    channels    smallint,
    flaw        text CHECK (char_length(flaw) <= 40),
    separate    boolean NOT NULL DEFAULT false, -- whether each channel is a speaker
    names       text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (upload_id, number)
);

-- What is transcribed of them once it was started: one speaker's sound each, of one channel or all.
CREATE TABLE IF NOT EXISTS upload_tracks (
    upload_id   uuid NOT NULL REFERENCES uploads ON DELETE CASCADE,
    number      smallint NOT NULL,
    file        smallint NOT NULL,
    channel     smallint,
    identity    text NOT NULL REFERENCES participants ON DELETE CASCADE,
    seconds     double precision NOT NULL,
    until       double precision NOT NULL DEFAULT 0, -- seconds of it that are done for good
    state       text NOT NULL DEFAULT '' CHECK (char_length(state) <= 65536), -- the engine's own
    done        boolean NOT NULL DEFAULT false,
    kept        boolean NOT NULL DEFAULT false, -- whether its sound is, where its space has it so
    PRIMARY KEY (upload_id, number)
);
CREATE INDEX IF NOT EXISTS upload_tracks_identity ON upload_tracks (identity);

-- Tracks that are transcribed no more: what a service still has of them, and when a process last took
-- it on to have it deleted. However a track goes, with its upload, session or space, it comes here.
CREATE TABLE IF NOT EXISTS discarded_tracks (
    id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    until       double precision NOT NULL,
    state       text NOT NULL,
    discarded_at timestamptz NOT NULL DEFAULT now(),
    tried_at    timestamptz
);
CREATE OR REPLACE FUNCTION discard_track() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO discarded_tracks (until, state)
        SELECT OLD.until, OLD.state WHERE OLD.state <> '' AND NOT OLD.done;
    RETURN NULL;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'tracks_discarded' AND tgrelid = 'upload_tracks'::regclass
    ) THEN
        CREATE TRIGGER tracks_discarded AFTER DELETE ON upload_tracks
            FOR EACH ROW EXECUTE FUNCTION discard_track();
    END IF;
END $$;

-- Older databases: what their tables lack of those above, oldest first, each as it stands there.
ALTER TABLE utterances ADD COLUMN IF NOT EXISTS client text NOT NULL DEFAULT '';
ALTER TABLE utterances ADD COLUMN IF NOT EXISTS until bigint NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS admission text NOT NULL DEFAULT 'KNOCK'
    CHECK (admission IN ('ANYONE', 'KNOCK', 'MEMBERS'));
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS locked boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS call_open boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS polled_at timestamptz;
ALTER TABLE participants ADD COLUMN IF NOT EXISTS state text NOT NULL DEFAULT 'ADMITTED'
    CHECK (state IN ('WAITING', 'ADMITTED', 'DENIED', 'REMOVED'));
ALTER TABLE participants ADD COLUMN IF NOT EXISTS page_seen_at timestamptz;
ALTER TABLE participants ADD COLUMN IF NOT EXISTS call_seen_at timestamptz;
ALTER TABLE streams ADD COLUMN IF NOT EXISTS reconnects integer NOT NULL DEFAULT 0;
ALTER TABLE utterances ADD COLUMN IF NOT EXISTS lost_s double precision;
ALTER TABLE participants ADD COLUMN IF NOT EXISTS decided_at timestamptz;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS code_switching boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS spelling jsonb NOT NULL DEFAULT '{}'
    CHECK (jsonb_typeof(spelling) = 'object');
CREATE INDEX IF NOT EXISTS sessions_open ON sessions (created_at)
    WHERE call_open OR status IN ('CREATED', 'LIVE');
ALTER TABLE users ADD COLUMN IF NOT EXISTS disabled_at timestamptz;
ALTER TABLE logins ADD COLUMN IF NOT EXISTS idle_at timestamptz NOT NULL
    DEFAULT (now() + interval '14 days');
ALTER TABLE users ADD COLUMN IF NOT EXISTS language text CHECK (char_length(language) <= 8);
ALTER TABLE users ADD COLUMN IF NOT EXISTS administrator boolean NOT NULL DEFAULT false;
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS minutes_granted double precision
    CHECK (minutes_granted >= 0);
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS minutes_chosen double precision
    CHECK (minutes_chosen >= 0);
ALTER TABLE streams ADD COLUMN IF NOT EXISTS price double precision;
CREATE INDEX IF NOT EXISTS streams_uncounted ON streams (session_id) WHERE price IS NULL;
ALTER TABLE users ADD COLUMN IF NOT EXISTS name_chosen boolean NOT NULL DEFAULT false;
ALTER TABLE users ADD COLUMN IF NOT EXISTS theme text CHECK (theme IN ('LIGHT', 'DARK'));
ALTER TABLE users ADD COLUMN IF NOT EXISTS captions jsonb NOT NULL DEFAULT '{}'
    CHECK (jsonb_typeof(captions) = 'object');
ALTER TABLE users ADD COLUMN IF NOT EXISTS avatar uuid;
-- Who was there before there were such steps isn't asked; hence a default, which goes at once.
ALTER TABLE users ADD COLUMN IF NOT EXISTS welcomed_at timestamptz DEFAULT now();
ALTER TABLE users ALTER COLUMN welcomed_at DROP DEFAULT;
ALTER TABLE users ADD COLUMN IF NOT EXISTS invited boolean NOT NULL DEFAULT false;
ALTER TABLE users ADD COLUMN IF NOT EXISTS space_id uuid REFERENCES spaces ON DELETE SET NULL;
ALTER TABLE accounts ADD COLUMN IF NOT EXISTS picture text CHECK (char_length(picture) <= 1000);
ALTER TABLE logins ADD COLUMN IF NOT EXISTS id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE logins ADD COLUMN IF NOT EXISTS signed_in_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE logins ADD COLUMN IF NOT EXISTS agent text NOT NULL DEFAULT ''
    CHECK (char_length(agent) <= 300);
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS consent text NOT NULL DEFAULT 'OFF'
    CHECK (consent IN ('OFF', 'NOTICE', 'REQUIRED'));
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS planned_at timestamptz;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS agenda text NOT NULL DEFAULT ''
    CHECK (char_length(agenda) <= 4000);
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS recurs text NOT NULL DEFAULT ''
    CHECK (char_length(recurs) <= 120);
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS standing_room uuid
    REFERENCES standing_rooms ON DELETE SET NULL;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS paused_at timestamptz;
ALTER TABLE participants ADD COLUMN IF NOT EXISTS consented_at timestamptz;
ALTER TABLE participants ADD COLUMN IF NOT EXISTS refused_at timestamptz;
ALTER TABLE participants ADD COLUMN IF NOT EXISTS noticed_at timestamptz;
DROP INDEX IF EXISTS sessions_space; -- sessions_list has all that it was for
CREATE UNIQUE INDEX IF NOT EXISTS sessions_standing ON sessions (standing_room)
    WHERE status IN ('CREATED', 'LIVE');
-- All meetings of a room: who deletes one has PostgreSQL look for them.
CREATE INDEX IF NOT EXISTS sessions_of_room ON sessions (standing_room)
    WHERE standing_room IS NOT NULL;
ALTER TABLE standing_rooms ADD COLUMN IF NOT EXISTS changed_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS replanned_at timestamptz;
ALTER TABLE space_events ADD COLUMN IF NOT EXISTS by_token boolean NOT NULL DEFAULT false;
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS languages text[];
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS code_switching boolean NOT NULL DEFAULT false;
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS vocabulary text[] NOT NULL DEFAULT '{}';
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS spelling jsonb NOT NULL DEFAULT '{}'
    CHECK (jsonb_typeof(spelling) = 'object');
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS targets text[];
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS targets text[];
ALTER TABLE participants ADD COLUMN IF NOT EXISTS language text
    CHECK (char_length(language) <= 8);
ALTER TABLE users ADD COLUMN IF NOT EXISTS spoken text CHECK (char_length(spoken) <= 8);
-- Once: of before sessions could say what is spoken, an empty list means that nothing was said.
DO $$ BEGIN
    IF (
        SELECT attnotnull FROM pg_attribute
        WHERE attrelid = 'sessions'::regclass AND attname = 'languages'
    ) THEN
        ALTER TABLE sessions ALTER COLUMN languages DROP NOT NULL, ALTER COLUMN languages DROP DEFAULT;
        UPDATE sessions SET languages = NULL WHERE languages = '{}';
    END IF;
END $$;
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS audio_days integer
    CHECK (audio_days BETWEEN 1 AND 365);
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS audio_days integer
    CHECK (audio_days BETWEEN 1 AND 365);
ALTER TABLE spaces ADD COLUMN IF NOT EXISTS text_days integer CHECK (text_days BETWEEN 1 AND 3650);
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS protected boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS text_deleted_at timestamptz;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS uploaded_at timestamptz;
-- Whose words may have to go: see core/store/retention.py.
CREATE INDEX IF NOT EXISTS sessions_text ON sessions (space_id, ended_at)
    WHERE status = 'ENDED' AND NOT protected AND text_deleted_at IS NULL;
ALTER TABLE search_lines ADD COLUMN IF NOT EXISTS language text NOT NULL DEFAULT '';
-- Once: translations of before search found them are sorted in as what was said before there was
-- search.
DO $$ BEGIN
    IF (
        SELECT cardinality(conkey) FROM pg_constraint
        WHERE conrelid = 'search_lines'::regclass AND contype = 'p'
    ) < 5 THEN
        ALTER TABLE search_lines DROP CONSTRAINT search_lines_pkey,
            ADD PRIMARY KEY (session_id, kind, seq, part, language);
        INSERT INTO search_waiting (session_id, turn)
            SELECT id, coalesce(started_at, created_at) FROM sessions
            WHERE id IN (SELECT session_id FROM translations)
            ON CONFLICT (session_id) DO UPDATE SET seq = 0;
    END IF;
END $$;

-- How much of a stream was sent on each day of UTC that it touches: as long as it was open on it.
CREATE OR REPLACE FUNCTION sent_by_day(
    opened timestamptz, closed timestamptz, sent double precision
) RETURNS TABLE (day date, sent_s double precision) LANGUAGE sql IMMUTABLE AS $$
    SELECT CAST(began AS date), sent * CASE WHEN closed <= opened THEN 1 ELSE
        extract(epoch FROM least(closed AT TIME ZONE 'UTC', began + interval '1 day')
            - greatest(opened AT TIME ZONE 'UTC', began))
        / extract(epoch FROM closed - opened) END
    FROM generate_series(
        date_trunc('day', opened AT TIME ZONE 'UTC'),
        greatest(opened, closed) AT TIME ZONE 'UTC', interval '1 day'
    ) AS began
$$;

-- Of each user the spaces that they are a member of, the oldest membership first: what the top of
-- every page offers them. Found with whoever asks, so that no page asks once more.
CREATE OR REPLACE VIEW own_spaces AS
    SELECT m.user_id, json_agg(
        json_build_object('id', s.id, 'name', s.name, 'role', m.role) ORDER BY m.joined_at, s.id
    ) AS spaces
    FROM members m JOIN spaces s ON s.id = m.space_id GROUP BY m.user_id;

-- The logins that count.
CREATE OR REPLACE VIEW open_logins AS
    SELECT l.key_digest, l.user_id, l.idle_at FROM logins l JOIN users u ON u.id = l.user_id
    WHERE l.expires_at > now() AND l.idle_at > now() AND u.disabled_at IS NULL;

-- The keys that count, and whose they are: a user's, or one guest's.
CREATE OR REPLACE VIEW open_keys AS
    SELECT key_digest, user_id, CAST(NULL AS text) AS identity FROM open_logins
    UNION ALL SELECT key_digest, CAST(NULL AS uuid) AS user_id, identity FROM guest_keys;

-- Text in small letters. Where the database's locale knows those of ASCII alone, as C does with some
-- providers, those of the alphabets that we meet most.
CREATE OR REPLACE FUNCTION search_lower(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN lower('Я') = 'я' THEN lower(said) ELSE translate(lower(said),
        'АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯІЇЄҐЎЈЉЊЂЋЏӘҒҚҢӨҰҮҺ'
        'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽĞŞŐŰĂȚȘŒ'
        'ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏ',
        'абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўјљњђћџәғқңөұүһ'
        'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþąćęłńśźżčďěňřšťůžğşőűățșœ'
        'αβγδεζηθικλμνξοπρστυφχψωάέήίόύώ') END
$$;

-- Text by which names and titles are compared: whatever the case, ё as е, letters whole.
CREATE OR REPLACE FUNCTION search_folded(name text) RETURNS text LANGUAGE sql IMMUTABLE
PARALLEL SAFE AS $$ SELECT translate(search_lower(normalize(name, NFKC)), 'ё', 'е') $$;

-- Text as words with spaces between them, the same in every locale: PostgreSQL's own parser takes
-- “ for a letter in some. What is between words goes; letters of scripts that write no spaces are a
-- word each, so that some of them in a row are found as a phrase.
CREATE OR REPLACE FUNCTION search_words(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT regexp_replace(translate(regexp_replace(search_lower(normalize(said, NFKC)),
        '[\u0001-/:-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u037e\u0387'
        '\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u0600-\u060f\u061b-\u061f'
        '\u066a-\u066d\u06d4\u0700-\u070d\u0964\u0965\u0970\u0e3f\u1360-\u1368\u17d4-\u17db'
        '\u1800-\u180e\u2000-\u2bff\u2e00-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30a0\u30fb'
        '\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65'
        '\uffe0-\uffff\U0001f000-\U0001faff]+', ' ', 'g'), 'ё', 'е'),
        '([\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])',
        ' \1 ', 'g')
$$;

-- Of a language, whether its words are found by their stems. Of what has none, such as chat, too:
-- the configuration takes words in Latin letters for English.
CREATE OR REPLACE FUNCTION search_stems(language text) RETURNS boolean LANGUAGE sql IMMUTABLE
PARALLEL SAFE AS $$ SELECT coalesce(language, 'ru') ~* '^(ru|en)($|[-_])' $$;

-- The words of a row, and two that nobody can type, in capital letters: of which space it is, and
-- whether it has stems or plain words, so that one index answers all that is asked of it.
CREATE OR REPLACE FUNCTION search_vector(space uuid, stemmed boolean, said text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY[
        'S' || upper(left(replace(CAST(space AS text), '-', ''), 16)),
        CASE WHEN stemmed THEN 'STEMS' ELSE 'PLAIN' END
    ]) || CASE WHEN stemmed
        THEN to_tsvector('pg_catalog.russian', search_words(said))
        ELSE to_tsvector('pg_catalog.simple', search_words(said)) END
$$;

-- Lines as they are read now, as rows of `search_lines`.
CREATE OR REPLACE VIEW lines_to_search AS
    SELECT u.session_id, u.seq, coalesce(c.part, CAST(0 AS smallint)) AS part, s.space_id,
        coalesce(c.speaker, u.identity) AS speaker,
        coalesce(s.started_at, s.created_at)
            + coalesce(c.start_s, u.start_s) * interval '1 second' AS at,
        search_stems(u.language) AS stemmed,
        search_vector(s.space_id, search_stems(u.language), coalesce(c.text, u.text)) AS words
    FROM utterances u JOIN sessions s ON s.id = u.session_id
    LEFT JOIN corrected_lines c ON c.session_id = u.session_id AND c.seq = u.seq
    WHERE u.lost_s IS NULL AND c.joined_seq IS NULL AND NOT coalesce(c.hidden, false);

-- Their translations, as far as they are shown: of a line that has been corrected since, none is.
-- One that says the same, as of names, is found as the line.
CREATE OR REPLACE VIEW translations_to_search AS
    SELECT u.session_id, u.seq, coalesce(c.part, CAST(0 AS smallint)) AS part, s.space_id,
        coalesce(c.speaker, u.identity) AS speaker,
        coalesce(s.started_at, s.created_at)
            + coalesce(c.start_s, u.start_s) * interval '1 second' AS at,
        search_stems(t.language) AS stemmed,
        search_vector(s.space_id, search_stems(t.language), t.text) AS words, t.language
    FROM utterances u JOIN translations t USING (session_id, stream, utterance)
    JOIN sessions s ON s.id = u.session_id
    LEFT JOIN corrected_lines c ON c.session_id = u.session_id AND c.seq = u.seq
    WHERE u.lost_s IS NULL AND c.joined_seq IS NULL AND NOT coalesce(c.hidden, false)
    AND coalesce(c.text, u.text) = u.text AND t.text NOT IN ('', u.text)
    AND t.language IS DISTINCT FROM u.language;

CREATE OR REPLACE VIEW chat_to_search AS
    SELECT c.session_id, c.id AS seq, s.space_id, c.identity AS speaker, c.sent_at AS at,
        true AS stemmed, search_vector(s.space_id, true, c.text) AS words
    FROM chat_messages c JOIN sessions s ON s.id = c.session_id;

CREATE OR REPLACE VIEW titles_to_search AS
    SELECT id AS session_id, space_id, coalesce(started_at, created_at) AS at, true AS stemmed,
        setweight(search_vector(space_id, true, title), 'A') AS words
    FROM sessions WHERE status <> 'EXPIRED';

-- A line, its correction and its translations may be stored at the same moment, on connections of
-- their own: until the end of a transaction nobody else sorts in translations of these sessions, so
-- that the last of them sees what the others did. Locks are taken in one order. What is stored as it
-- is said has 200 rows; what is of more sessions is brought from elsewhere, with nobody beside it,
-- and takes its time, for which nobody may have to wait.
CREATE OR REPLACE FUNCTION search_alone(sessions uuid[]) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    IF cardinality(sessions) <= 200 THEN
        PERFORM pg_advisory_xact_lock(1936028020, one) FROM (
            SELECT hashtext(CAST(session AS text)) AS one FROM unnest(sessions) session ORDER BY one
        ) locks;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION search_lines_said() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
    PERFORM search_alone(array_agg(DISTINCT session_id)) FROM changed;
    IF TG_TABLE_NAME <> 'utterances' THEN
        -- A session that is gone through at this moment: what is corrected counts.
        PERFORM FROM search_waiting WHERE session_id IN (SELECT session_id FROM changed) FOR UPDATE;
        DELETE FROM search_lines l USING changed c
            WHERE l.session_id = c.session_id AND l.kind = 'LINE' AND l.seq = c.seq;
    END IF;
    INSERT INTO search_lines
        (session_id, kind, seq, part, space_id, speaker, at, stemmed, words)
        SELECT session_id, 'LINE', seq, part, space_id, speaker, at, stemmed, words
        FROM (SELECT DISTINCT session_id, seq FROM changed) c
        JOIN lines_to_search USING (session_id, seq)
        ON CONFLICT DO NOTHING;
    INSERT INTO search_lines
        (session_id, kind, seq, part, space_id, speaker, at, stemmed, words, language)
        SELECT session_id, 'LINE', seq, part, space_id, speaker, at, stemmed, words, language
        FROM (SELECT DISTINCT session_id, seq FROM changed) c
        JOIN translations_to_search USING (session_id, seq)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION search_lines_translated() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
    PERFORM search_alone(array_agg(DISTINCT session_id)) FROM changed;
    INSERT INTO search_lines
        (session_id, kind, seq, part, space_id, speaker, at, stemmed, words, language)
        SELECT session_id, 'LINE', v.seq, part, space_id, speaker, at, stemmed, words, c.language
        FROM changed c JOIN utterances u USING (session_id, stream, utterance)
        JOIN translations_to_search v USING (session_id, seq)
        WHERE v.language = c.language
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION search_lines_written() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO search_lines
        (session_id, kind, seq, part, space_id, speaker, at, stemmed, words)
        SELECT v.session_id, 'CHAT', v.seq, 0, v.space_id, v.speaker, v.at, v.stemmed, v.words
        FROM changed c JOIN chat_to_search v ON v.session_id = c.session_id AND v.seq = c.id
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION search_lines_titled() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
    DELETE FROM search_lines WHERE session_id = NEW.id AND kind = 'TITLE';
    INSERT INTO search_lines (session_id, kind, seq, part, space_id, at, stemmed, words)
        SELECT session_id, 'TITLE', 0, 0, space_id, at, stemmed, words
        FROM titles_to_search WHERE session_id = NEW.id
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION search_lines_gone() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$ BEGIN
    IF TG_TABLE_NAME = 'utterances' THEN
        DELETE FROM search_lines l USING changed c
            WHERE l.session_id = c.session_id AND l.kind = 'LINE' AND l.seq = c.seq;
    ELSE
        DELETE FROM search_lines l USING changed c
            WHERE l.session_id = c.session_id AND l.kind = 'CHAT' AND l.seq = c.id;
    END IF;
    RETURN NULL;
END $$;

-- Made once: to make one anew takes a lock that all who write wait for.
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'search_said' AND tgrelid = to_regclass('utterances')
    ) THEN
        CREATE TRIGGER search_said AFTER INSERT ON utterances
            REFERENCING NEW TABLE AS changed EXECUTE FUNCTION search_lines_said();
        CREATE TRIGGER search_unsaid AFTER DELETE ON utterances
            REFERENCING OLD TABLE AS changed EXECUTE FUNCTION search_lines_gone();
        CREATE TRIGGER search_corrected AFTER INSERT ON corrected_lines
            REFERENCING NEW TABLE AS changed EXECUTE FUNCTION search_lines_said();
        CREATE TRIGGER search_recorrected AFTER UPDATE ON corrected_lines
            REFERENCING NEW TABLE AS changed EXECUTE FUNCTION search_lines_said();
        CREATE TRIGGER search_restored AFTER DELETE ON corrected_lines
            REFERENCING OLD TABLE AS changed EXECUTE FUNCTION search_lines_said();
        CREATE TRIGGER search_written AFTER INSERT ON chat_messages
            REFERENCING NEW TABLE AS changed EXECUTE FUNCTION search_lines_written();
        CREATE TRIGGER search_unwritten AFTER DELETE ON chat_messages
            REFERENCING OLD TABLE AS changed EXECUTE FUNCTION search_lines_gone();
        CREATE TRIGGER search_titled AFTER INSERT ON sessions
            FOR EACH ROW EXECUTE FUNCTION search_lines_titled();
        CREATE TRIGGER search_retitled AFTER UPDATE OF title, started_at, status ON sessions
            FOR EACH ROW WHEN (OLD.title <> NEW.title OR NEW.status = 'EXPIRED'
                OR OLD.started_at IS DISTINCT FROM NEW.started_at)
            EXECUTE FUNCTION search_lines_titled();
    END IF;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'search_translated' AND tgrelid = to_regclass('translations')
    ) THEN
        CREATE TRIGGER search_translated AFTER INSERT ON translations
            REFERENCING NEW TABLE AS changed EXECUTE FUNCTION search_lines_translated();
    END IF;
END $$;
