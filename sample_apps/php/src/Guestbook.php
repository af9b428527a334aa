<?php

declare(strict_types=1);

namespace Sample;

use PDO;

/** Entries in a SQLite file. */
final class Guestbook
{
    private PDO $database;

    public function __construct(string $path)
    {
        $this->database = new PDO("sqlite:{$path}", options: [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
        $this->database->exec('CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, name TEXT, words TEXT)');
    }

    public function add(string $name, string $words): int
    {
        $this->database->prepare('INSERT INTO entry (name, words) VALUES (?, ?)')->execute([$name, $words]);

        return (int) $this->database->lastInsertId();
    }

    /** @return list<array{id: int, name: string, words: string}> */
    public function all(): array
    {
        return $this->database->query('SELECT id, name, words FROM entry ORDER BY id')->fetchAll(PDO::FETCH_ASSOC);
    }

    /** @return array{id: int, name: string, words: string}|null */
    public function find(int $id): ?array
    {
        $statement = $this->database->prepare('SELECT id, name, words FROM entry WHERE id = ?');
        $statement->execute([$id]);

        return $statement->fetch(PDO::FETCH_ASSOC) ?: null;
    }
}
