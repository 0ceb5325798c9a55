-- The first release that had a chat, after first-schema.sql: what it added, word for word, and lines.

-- Which page said it, and its sample after the words: where a process that doesn't know the page
-- goes on, so that a restart repeats no sentence.
ALTER TABLE utterances ADD COLUMN IF NOT EXISTS client text NOT NULL DEFAULT '';
ALTER TABLE utterances ADD COLUMN IF NOT EXISTS until bigint NOT NULL DEFAULT 0;

-- Who may come in, and whether anybody new may at the moment. `call_open`: LiveKit may hold a room
-- of this session. `polled_at`: when a process last took it on to ask LiveKit about it.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS admission text NOT NULL DEFAULT 'KNOCK'
    CHECK (admission IN ('ANYONE', 'KNOCK', 'MEMBERS'));
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS locked boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS call_open boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS polled_at timestamptz;
CREATE INDEX IF NOT EXISTS sessions_open ON sessions (created_at)
    WHERE call_open OR status IN ('CREATED', 'LIVE');

-- A participant is here while a page is connected or the call has them: each is NULL while that is
-- not so, else when it was last known. `left_at` is NULL exactly while somebody is here.
ALTER TABLE participants ADD COLUMN IF NOT EXISTS state text NOT NULL DEFAULT 'ADMITTED'
    CHECK (state IN ('WAITING', 'ADMITTED', 'DENIED', 'REMOVED'));
ALTER TABLE participants ADD COLUMN IF NOT EXISTS page_seen_at timestamptz;
ALTER TABLE participants ADD COLUMN IF NOT EXISTS call_seen_at timestamptz;
CREATE INDEX IF NOT EXISTS participants_here ON participants (session_id)
    WHERE joined_at IS NOT NULL AND left_at IS NULL;
CREATE INDEX IF NOT EXISTS participants_session ON participants (session_id);

-- LiveKit's webhooks that were acted on: it sends some twice.
CREATE TABLE IF NOT EXISTS livekit_events (
    id          text PRIMARY KEY,
    received_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS chat_messages (
    session_id  uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    id          integer NOT NULL,
    identity    text NOT NULL REFERENCES participants ON DELETE CASCADE,
    text        text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 2000),
    sent_at     timestamptz NOT NULL,
    PRIMARY KEY (session_id, id)
);

INSERT INTO chat_messages (session_id, id, identity, text, sent_at) VALUES
    ('33333333-3333-4333-8333-333333333333', 1, 'p_bob', 'I hear nothing', '2026-11-22 10:02Z'),
    ('44444444-4444-4444-8444-444444444444', 1, 'p_ada_again', 'Nobody here?', now());
