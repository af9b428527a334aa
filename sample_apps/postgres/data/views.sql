-- Run by hand: psql -d shop -f /usr/local/share/shop/views.sql
CREATE TABLE river (name text, length integer);
\copy river FROM '/usr/local/share/shop/rivers.csv' WITH (FORMAT csv, HEADER)
CREATE MATERIALIZED VIEW river_of_city AS
    SELECT city.name AS city, river.name AS river, length FROM city JOIN river ON river.name = facts->>'river';
\pset format csv
SELECT * FROM river_of_city ORDER BY length;
