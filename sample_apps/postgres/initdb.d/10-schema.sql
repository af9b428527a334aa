-- The sample's own tables.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE city (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    zone text NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}'
);

INSERT INTO city (name, zone, facts) VALUES
    ('Berlin', 'Europe/Berlin', '{"river": "Spree"}'),
    ('Tokyo', 'Asia/Tokyo', '{"river": "Sumida"}'),
    ('São Paulo', 'America/Sao_Paulo', '{"river": "Tietê"}');
