-- The tables of the product that this one replaces, as its ORM has them: our reading of what its
-- public source asks for. Times have no zone and are UTC.
CREATE TYPE "SpaceRole" AS ENUM ('OWNER', 'MEMBER');
CREATE TYPE "SessionStatus" AS ENUM ('CREATED', 'LIVE', 'ENDED', 'EXPIRED');
CREATE TYPE "SessionEndReason" AS ENUM ('ADMIN_ENDED', 'AUTO_EMPTY_ROOM', 'EXPIRED_NO_JOIN');
CREATE TYPE "ParticipantRole" AS ENUM ('HOST', 'GUEST');
CREATE TYPE "AnalysisStatus" AS ENUM ('PENDING', 'RUNNING', 'DONE', 'FAILED');

CREATE TABLE "User" (
    "id" text PRIMARY KEY,
    "email" text,
    "name" text,
    "displayName" text,
    "avatarUrl" text,
    "noAvatarColor" text,
    "activeSpaceId" text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3)
);
CREATE TABLE "Account" (
    "id" text PRIMARY KEY,
    "userId" text NOT NULL,
    "type" text NOT NULL DEFAULT 'oauth',
    "provider" text NOT NULL,
    "providerAccountId" text NOT NULL,
    "access_token" text
);
-- Of its sign-in, and no meeting.
CREATE TABLE "Session" ("id" text PRIMARY KEY, "sessionToken" text, "userId" text);
CREATE TABLE "Space" (
    "id" text PRIMARY KEY,
    "name" text,
    "ownerId" text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "SpaceMember" (
    "id" text PRIMARY KEY,
    "spaceId" text,
    "userId" text,
    "role" "SpaceRole" NOT NULL DEFAULT 'OWNER',
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "VideoSession" (
    "id" text PRIMARY KEY,
    "slug" text NOT NULL UNIQUE,
    "title" text,
    "createdByUserId" text,
    "spaceId" text,
    "status" "SessionStatus" NOT NULL DEFAULT 'CREATED',
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "startedAt" timestamp(3),
    "endedAt" timestamp(3),
    "lastActivityAt" timestamp(3),
    "endReason" "SessionEndReason",
    "endedByUserId" text,
    "durationSeconds" integer,
    "aiTitle" text,
    "aiCurrentTopic" text,
    "aiTopicsJson" jsonb,
    "aiUpdatedAt" timestamp(3)
);
CREATE TABLE "Participant" (
    "id" text PRIMARY KEY,
    "videoSessionId" text,
    "userId" text,
    "identity" text NOT NULL,
    "name" text,
    "role" "ParticipantRole" NOT NULL DEFAULT 'GUEST',
    "joinedAt" timestamp(3) DEFAULT CURRENT_TIMESTAMP,
    "leftAt" timestamp(3)
);
CREATE TABLE "TranscriptSegment" (
    "id" text PRIMARY KEY,
    "videoSessionId" text,
    "participantId" text,
    "utteranceId" text NOT NULL,
    "text" text,
    "language" text,
    "isFinal" boolean NOT NULL DEFAULT false,
    "startedAt" timestamp(3),
    "endedAt" timestamp(3),
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE ("videoSessionId", "utteranceId")
);
CREATE TABLE "TranscriptionUsage" (
    "id" text PRIMARY KEY,
    "videoSessionId" text NOT NULL,
    "participantId" text,
    "userId" text,
    "startedAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "endedAt" timestamp(3),
    "durationSeconds" integer NOT NULL,
    "durationMinutes" integer NOT NULL,
    "audioChunksSent" integer NOT NULL DEFAULT 0,
    "transcriptsReceived" integer NOT NULL DEFAULT 0,
    "finalTranscripts" integer NOT NULL DEFAULT 0,
    "partialTranscripts" integer NOT NULL DEFAULT 0,
    "costPerMinute" double precision NOT NULL DEFAULT 0.01,
    "totalCost" double precision NOT NULL DEFAULT 0,
    "errorsCount" integer NOT NULL DEFAULT 0
);
CREATE TABLE "SessionAnalysis" (
    "id" text PRIMARY KEY,
    "sessionId" text NOT NULL,
    "status" "AnalysisStatus" NOT NULL DEFAULT 'PENDING',
    "summary" text,
    "tasksJson" jsonb,
    "risksJson" jsonb
);

-- What somebody did with it. Ada's account is kept; Grace's sign-in knew her by her address.
INSERT INTO "User" ("id", "email", "name", "displayName", "createdAt") VALUES
    ('u_ada', 'ada.lovelace@example.com', 'Ada King', 'Ada Lovelace', '2026-01-05 08:00'),
    ('u_grace', 'Grace@Example.com', 'Grace Hopper', NULL, '2026-01-06'),
    ('u_grace_2', 'grace@example.com', 'Grace Again', NULL, '2026-02-01'),
    ('u_null', NULL, NULL, NULL, '2026-01-07'),
    ('u_odd', 'no address', E'  \u202e\u200b ', NULL, 'infinity'),
    ('u_emoji', 'emoji@example.com', '👩🏽‍🚀 Zoë \\u0000', repeat('x', 300), '2026-01-08');
INSERT INTO "Account" ("id", "userId", "provider", "providerAccountId") VALUES
    ('a1', 'u_ada', 'google', '1001'),
    ('a2', 'u_grace', 'github', '77'),
    ('a3', 'u_nobody', 'google', '1002');
INSERT INTO "Session" VALUES ('s1', 'token', 'u_ada');
INSERT INTO "Space" ("id", "name", "ownerId", "createdAt") VALUES
    ('sp_team', 'The team', 'u_ada', '2026-01-05 08:01'),
    ('sp_null', NULL, 'u_grace', '2026-01-06'),
    ('sp_long', repeat('Space ', 30), NULL, '2026-01-06'),
    ('sp_empty', 'Nobody’s', NULL, '2026-01-06');
INSERT INTO "SpaceMember" ("id", "spaceId", "userId", "role", "createdAt") VALUES
    ('m1', 'sp_team', 'u_ada', 'OWNER', '2026-01-05 08:01'),
    ('m2', 'sp_team', 'u_grace', 'MEMBER', '2026-01-06'),
    ('m3', 'sp_team', 'u_grace_2', 'OWNER', '2026-02-01'),
    ('m4', 'sp_long', 'u_emoji', 'MEMBER', '2026-01-08'),
    ('m5', 'sp_gone', 'u_ada', 'OWNER', '2026-01-08'),
    ('m6', 'sp_team', 'u_gone', 'MEMBER', '2026-01-08');
INSERT INTO "VideoSession" ("id", "slug", "title", "createdByUserId", "spaceId", "status",
        "createdAt", "startedAt", "endedAt", "lastActivityAt", "endReason", "endedByUserId",
        "durationSeconds", "aiTitle", "aiCurrentTopic", "aiTopicsJson") VALUES
    ('v_ended', 'aB3_-xYz', 'Weekly', 'u_ada', 'sp_team', 'ENDED', '2026-03-01 09:55',
        '2026-03-01 10:00', '2026-03-01 10:30', '2026-03-01 10:29', 'ADMIN_ENDED', 'u_ada', 1800,
        'Planning the engine', 'Punched cards', '[
            {"id": "engine-0", "label": "The engine", "startedAt": 1772359230000},
            {"id": "cards-1", "label": "Punched cards", "startedAt": "2026-03-01T10:10:00.000Z"},
            {"label": "  "}, 7, "Without a time"]'),
    ('v_stale', 'stale123', NULL, 'u_grace', 'sp_team', 'LIVE', '2026-03-02', '2026-03-02 10:00',
        NULL, '2026-03-02 10:01', NULL, NULL, NULL, 'Found by AI', NULL, NULL),
    ('v_live', 'live1234', 'Now', 'u_ada', 'sp_team', 'LIVE', now() AT TIME ZONE 'UTC'
        - interval '10 min', now() AT TIME ZONE 'UTC' - interval '9 min', NULL,
        now() AT TIME ZONE 'UTC' - interval '1 min', NULL, NULL, NULL, NULL, NULL, NULL),
    ('v_next', 'next1234', 'Tomorrow', 'u_ada', 'sp_team', 'CREATED', now() AT TIME ZONE 'UTC'
        - interval '1 hour', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('v_never', 'never123', 'Never', 'u_ada', 'sp_team', 'CREATED', '2026-03-03', NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('v_expired', 'expired1', 'Expired', 'u_ada', 'sp_team', 'EXPIRED', '2026-03-03', NULL, NULL,
        NULL, 'EXPIRED_NO_JOIN', NULL, NULL, NULL, NULL, NULL),
    ('v_backwards', 'back1234', repeat('Long ', 60), 'u_gone', 'sp_null', 'ENDED', '2026-03-04',
        '2026-03-04 10:00', '2026-03-04 09:00', NULL, NULL, 'u_gone', -5, NULL, NULL, '"text"'),
    ('v_future', 'futu1234', NULL, 'u_ada', 'sp_team', 'ENDED', '2026-03-05', '2199-01-01',
        '2199-01-02', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('v_orphan', 'orph1234', 'Orphan', 'u_ada', 'sp_gone', 'ENDED', '2026-03-06',
        '2026-03-06 10:00', '2026-03-06 10:30', NULL, 'ADMIN_ENDED', 'u_ada', 1800, NULL, NULL, NULL);
INSERT INTO "Participant" ("id", "videoSessionId", "userId", "identity", "name", "role", "joinedAt",
        "leftAt") VALUES
    ('p_a1', 'v_ended', 'u_ada', 'ada-1', 'Ada', 'HOST', '2026-03-01 10:00', '2026-03-01 10:10'),
    ('p_a2', 'v_ended', 'u_ada', 'ada-2', 'somebody renamed me', 'GUEST', '2026-03-01 10:12', NULL),
    ('p_g', 'v_ended', 'u_grace_2', 'grace', 'Grace', 'GUEST', '2026-03-01 10:01', NULL),
    ('p_guest', 'v_ended', NULL, 'guest-1', 'Бабушка 👵', 'HOST', '2026-03-01 10:02', '2026-03-01 09:00'),
    ('p_nameless', 'v_ended', NULL, 'guest-2', NULL, 'GUEST', NULL, NULL),
    ('p_stale', 'v_stale', 'u_grace', 'grace-1', 'Grace', 'GUEST', '2026-03-02 10:00', NULL),
    ('p_orphan', 'v_orphan', 'u_ada', 'ada-9', 'Ada', 'HOST', '2026-03-06 10:00', NULL),
    ('p_lost', 'v_gone', 'u_ada', 'ada-8', 'Ada', 'HOST', '2026-03-06 10:00', NULL);
INSERT INTO "TranscriptSegment" ("id", "videoSessionId", "participantId", "utteranceId", "text",
        "language", "isFinal", "startedAt", "endedAt") VALUES
    ('t2', 'v_ended', 'p_g', '0_2', 'The second sentence.', 'en', true, '2026-03-01 10:01:10', NULL),
    ('t1', 'v_ended', 'p_a1', '0_1', 'The first sentence, which is a bit longer than that.', 'en', true,
        '2026-03-01 10:01:00', '2026-03-01 10:01:00'),
    ('t3', 'v_ended', 'p_a2', '0_3', 'Said under another identity 👩🏽‍🚀', 'en', true,
        '2026-03-01 10:13:00', '2026-03-01 10:13:04'),
    ('t4', 'v_ended', 'p_guest', '0_4', E'Line\nbreak\t\x07 and \\u0000', 'ru-with-a-very-long-tail', true,
        '2026-03-01 10:02:00', NULL),
    ('t5', 'v_ended', NULL, '0_5', 'Nobody knows whose words these are.', NULL, true,
        '2026-03-01 10:03:00', NULL),
    ('t6', 'v_ended', 'p_a1', '0_6', 'A draft', 'en', false, '2026-03-01 10:03:01', NULL),
    ('t7', 'v_ended', 'p_a1', '0_7', '   ', 'en', true, '2026-03-01 10:03:02', NULL),
    ('t8', 'v_ended', 'p_a1', '0_8', NULL, 'en', true, '2026-03-01 10:03:03', NULL),
    ('t9', 'v_ended', 'p_a1', '0_9', 'From before the session', 'en', true, '2026-03-01 09:00', NULL),
    ('t10', 'v_ended', 'p_g', '0_10', 'Without a time', 'en', true, '-infinity', NULL),
    ('t11', 'v_gone', 'p_a1', '0_1', 'Of no session', 'en', true, '2026-03-01 10:03:04', NULL),
    ('t12', 'v_orphan', 'p_orphan', '0_1', 'Of a session without a space', 'en', true,
        '2026-03-06 10:03', NULL),
    ('t13', 'v_stale', 'p_stale', '0_1', repeat('A very long one. ', 2000), 'en', true,
        '2026-03-02 10:05', NULL);
UPDATE "TranscriptSegment" SET "createdAt" = '2026-03-01 10:04' WHERE id = 't10';
INSERT INTO "TranscriptionUsage" ("id", "videoSessionId", "participantId", "userId", "startedAt",
        "endedAt", "durationSeconds", "durationMinutes", "audioChunksSent", "finalTranscripts",
        "partialTranscripts", "totalCost", "errorsCount") VALUES
    ('c1', 'v_ended', 'p_a1', 'u_ada', '2026-03-01 10:00', '2026-03-01 10:10', 600, 10, 4800, 2, 9, 0.1, 1),
    ('c2', 'v_ended', NULL, 'u_grace_2', '2026-03-01 10:01', NULL, 61, 2, 500, 1, 3, 0.02, 0),
    ('c3', 'v_ended', NULL, NULL, '2026-03-01 10:01', NULL, 61, 2, 500, 1, 3, 0.02, 0),
    ('c4', 'v_ended', 'p_guest', NULL, '2026-03-01 10:02', '2026-03-01 10:00', -7, 0, -1, 0, 0, 'NaN', 0),
    ('c5', 'v_stale', 'p_stale', 'u_grace', now() AT TIME ZONE 'UTC' - interval '10 min',
        now() AT TIME ZONE 'UTC', 600, 10, 9, 1, 1, 0.1, 0);
INSERT INTO "SessionAnalysis" ("id", "sessionId", "status", "summary", "tasksJson", "risksJson") VALUES
    ('x1', 'v_ended', 'DONE', E'We decided to build it.\n\nAnd to punch cards.', '[
        {"title": "Draw the mill", "assignee": "Ada"}, "Order brass"]', '{"items": [{"risk": "Too dear"}]}'),
    ('x2', 'v_stale', 'PENDING', NULL, NULL, NULL),
    ('x3', 'v_gone', 'DONE', 'Of no session', NULL, NULL);
