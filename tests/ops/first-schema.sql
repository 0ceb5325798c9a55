-- The schema of the first release, word for word, and at the end what somebody did with it.

CREATE TABLE IF NOT EXISTS users (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    email       text NOT NULL,
    hue         smallint NOT NULL CHECK (hue BETWEEN 0 AND 11),
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- How a person proves to be a user. Found by the provider's own subject, never by e-mail.
CREATE TABLE IF NOT EXISTS accounts (
    provider    text NOT NULL,
    subject     text NOT NULL,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (provider, subject)
);

-- A browser that is signed in. The key is a digest: who reads this table can't sign in with it.
CREATE TABLE IF NOT EXISTS logins (
    key_digest  bytea PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS logins_user ON logins (user_id);

CREATE TABLE IF NOT EXISTS spaces (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS members (
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role        text NOT NULL CHECK (role IN ('OWNER', 'MEMBER')),
    joined_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space_id, user_id)
);
CREATE INDEX IF NOT EXISTS members_user ON members (user_id);

CREATE TABLE IF NOT EXISTS sessions (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug        text NOT NULL UNIQUE,
    title       text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 120),
    space_id    uuid NOT NULL REFERENCES spaces ON DELETE CASCADE,
    created_by  uuid REFERENCES users ON DELETE SET NULL,
    status      text NOT NULL DEFAULT 'CREATED'
                CHECK (status IN ('CREATED', 'LIVE', 'ENDED', 'EXPIRED')),
    languages   text[] NOT NULL DEFAULT '{}',
    vocabulary  text[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    ended_at    timestamptz,
    ended_by    uuid REFERENCES users ON DELETE SET NULL,
    end_reason  text CHECK (end_reason IN ('ADMIN_ENDED', 'AUTO_EMPTY_ROOM', 'EXPIRED_NO_JOIN'))
);
CREATE INDEX IF NOT EXISTS sessions_space ON sessions (space_id, created_at DESC);

-- One person in one session. Guests have no user; a user has one row however often they join.
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
    UNIQUE (session_id, user_id)
);
CREATE INDEX IF NOT EXISTS participants_user ON participants (user_id);

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
    PRIMARY KEY (session_id, stream, utterance),
    UNIQUE (session_id, seq)
);

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
    PRIMARY KEY (session_id, stream)
);

-- What somebody did with it: Ada held a session that is over and has one that goes on.
INSERT INTO users (id, name, email, hue) VALUES
    ('11111111-1111-4111-8111-111111111111', 'Ada Lovelace', 'ada.lovelace@example.com', 3);
INSERT INTO accounts (provider, subject, user_id) VALUES
    ('development', 'ada.lovelace@example.com', '11111111-1111-4111-8111-111111111111');
INSERT INTO spaces (id, name) VALUES
    ('22222222-2222-4222-8222-222222222222', 'Ada Lovelace’s space');
INSERT INTO members (space_id, user_id, role) VALUES
    ('22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', 'OWNER');

INSERT INTO sessions (id, slug, title, space_id, created_by, status, created_at, started_at,
        ended_at, ended_by, end_reason) VALUES
    ('33333333-3333-4333-8333-333333333333', 'over-over-over-over', 'The first session',
        '22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', 'ENDED',
        '2026-11-22 09:59Z', '2026-11-22 10:00Z', '2026-11-22 10:05Z',
        '11111111-1111-4111-8111-111111111111', 'ADMIN_ENDED'),
    ('44444444-4444-4444-8444-444444444444', 'goes-goes-goes-goes', 'The one that goes on',
        '22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', 'LIVE',
        now() - interval '9 minutes', now() - interval '8 minutes', NULL, NULL, NULL);
INSERT INTO participants (identity, session_id, user_id, name, hue, role, joined_at, left_at) VALUES
    ('p_ada', '33333333-3333-4333-8333-333333333333', '11111111-1111-4111-8111-111111111111',
        'Ada Lovelace', 3, 'HOST', '2026-11-22 10:00Z', '2026-11-22 10:05Z'),
    ('p_bob', '33333333-3333-4333-8333-333333333333', NULL,
        'Bob', 7, 'GUEST', '2026-11-22 10:01Z', '2026-11-22 10:04Z'),
    ('p_ada_again', '44444444-4444-4444-8444-444444444444', '11111111-1111-4111-8111-111111111111',
        'Ada Lovelace', 3, 'HOST', now() - interval '8 minutes', now());
INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s, language)
    VALUES
    ('33333333-3333-4333-8333-333333333333', 'a1', '0', 1, 'p_ada', 'Good morning.', 1, 2, 'en'),
    ('33333333-3333-4333-8333-333333333333', 'b1', '0', 2, 'p_bob', 'Is it on?', 61.5, 63, NULL),
    ('44444444-4444-4444-8444-444444444444', 'c1', '0', 1, 'p_ada_again', 'I begin.', 1, 2, 'en');
INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at, sent_s, frames,
        partials, finals, errors) VALUES
    ('33333333-3333-4333-8333-333333333333', 'a1', 'p_ada', 'local',
        '2026-11-22 10:00Z', '2026-11-22 10:01Z', 30, 750, 4, 1, 0);
