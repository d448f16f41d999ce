-- release 1
-- Alerts: those that fire, those that are resolved, and what was announced to the receiver of the webhook.

-- One row per rule and subject while it fires, which becomes history when it is resolved.
CREATE TABLE alert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- of the last change of state: a resolution draws a new one
    rule text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    detail text NOT NULL, -- what is wrong; of a resolved alert, how it ended
    since timestamptz NOT NULL,
    resolved_at timestamptz CHECK (resolved_at >= since),
    is_silent boolean NOT NULL -- it fired while there was no receiver, so none is told of it later
);

CREATE UNIQUE INDEX alert_firing ON alert (rule, subject) WHERE resolved_at IS NULL;
CREATE INDEX alert_subject ON alert (rule, subject, id);
CREATE INDEX alert_resolved ON alert (resolved_at) WHERE resolved_at IS NOT NULL;

-- What the receiver was told last of each rule and subject, which limits how often it is told.
CREATE TABLE alert_announcement (
    rule text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('firing', 'resolved')),
    announced_at timestamptz [] NOT NULL, -- the times of the last hour, the latest last
    PRIMARY KEY (rule, subject)
);
