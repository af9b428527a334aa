<?php

declare(strict_types=1);

namespace Sample;

use DateTimeImmutable;
use DateTimeZone;
use Exception;
use RuntimeException;
use SimpleXMLElement;

/** Which path is answered by what. */
final class Routes
{
    public function __construct(private readonly Guestbook $guestbook)
    {
    }

    public function handle(string $method, string $path): void
    {
        match (true) {
            $path === '/' => Answer::page('index', ['entries' => $this->guestbook->all()]),
            $path === '/healthz' => Answer::json(['status' => 'ok', 'entries' => count($this->guestbook->all())]),
            $path === '/entries' && $method === 'POST' => $this->sign(),
            preg_match('#^/entries/(\d+)$#', $path, $found) === 1 => $this->entry((int) $found[1]),
            $path === '/api/entries' && $method === 'POST' => $this->add(),
            $path === '/api/entries' => Answer::json($this->guestbook->all()),
            $path === '/api/time' => $this->time((string) ($_GET['zone'] ?? 'UTC'), (int) ($_GET['at'] ?? 0)),
            $path === '/api/text' => $this->text((string) ($_GET['text'] ?? '')),
            $path === '/api/feed' => $this->feed(),
            $path === '/api/upload' && $method === 'POST' => $this->upload(),
            $path === '/api/extensions' => $this->extensions(),
            $path === '/about' => $this->about(),
            preg_match('#^/export/([a-z]+)$#', $path, $found) === 1 => $this->export(ucfirst($found[1])),
            $path === '/api/decode' && $method === 'POST' => $this->decode((string) ($_GET['charset'] ?? 'UTF-8')),
            $path === '/api/kind' && $method === 'POST' => $this->kind(),
            $path === '/api/names' => Answer::json(Network::names()),
            $path === '/api/certificate' => Answer::json(Network::certificate((string) ($_GET['name'] ?? 'sample'))),
            $path === '/api/transfer' => Answer::json(Network::transfer((string) ($_GET['url'] ?? ''))),
            $path === '/broken' => throw new RuntimeException('broken on purpose'),
            default => $this->missing($path),
        };
    }

    private function sign(): void
    {
        $name = trim((string) ($_POST['name'] ?? ''));
        if ($name === '') {
            Answer::page('error', ['code' => 422, 'text' => 'A name is needed'], 422);

            return;
        }
        Answer::redirect('/entries/' . $this->guestbook->add($name, (string) ($_POST['words'] ?? '')));
    }

    private function entry(int $id): void
    {
        $entry = $this->guestbook->find($id);
        $entry === null ? $this->missing("/entries/{$id}") : Answer::page('entry', ['entry' => $entry]);
    }

    private function add(): void
    {
        $data = json_decode((string) file_get_contents('php://input'), true);
        if (!is_array($data) || !is_string($data['name'] ?? null)) {
            Answer::json(['error' => 'an object with a name is needed'], 422);

            return;
        }
        $id = $this->guestbook->add($data['name'], (string) ($data['words'] ?? ''));
        header("Location: /entries/{$id}");
        Answer::json($this->guestbook->find($id), 201);
    }

    private function time(string $zone, int $at): void
    {
        try {
            $moment = (new DateTimeImmutable("@{$at}"))->setTimezone(new DateTimeZone($zone));
        } catch (Exception) {
            Answer::json(['error' => 'no such time zone'], 400);

            return;
        }
        Answer::json(['time' => $moment->format('c'), 'zone' => $moment->format('T')]);
    }

    private function text(string $text): void
    {
        Answer::json([
            'upper' => mb_strtoupper($text),
            'length' => mb_strlen($text),
            'latin1' => bin2hex(mb_convert_encoding($text, 'ISO-8859-1', 'UTF-8')),
            'sha256' => hash('sha256', $text),
        ]);
    }

    private function feed(): void
    {
        $feed = new SimpleXMLElement('<entries/>');
        foreach ($this->guestbook->all() as $entry) {
            $feed->addChild('entry', htmlspecialchars($entry['words'], ENT_XML1))->addAttribute('name', $entry['name']);
        }
        header('Content-Type: application/xml');
        echo $feed->asXML();
    }

    private function upload(): void
    {
        $file = $_FILES['file'] ?? null;
        if ($file === null || $file['error'] !== UPLOAD_ERR_OK) {
            Answer::json(['error' => 'a file is needed'], 400);

            return;
        }
        Answer::json(['name' => $file['name'], 'size' => $file['size'], 'sha256' => hash_file('sha256', $file['tmp_name'])]);
    }

    private function extensions(): void
    {
        $names = array_map('strtolower', get_loaded_extensions());
        sort($names);
        Answer::json(['extensions' => $names, 'authorities' => is_readable('/etc/ssl/certs/ca-certificates.crt')]);
    }

    /** In the visitor's language; the session counts the visits. */
    private function about(): void
    {
        session_start();
        $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
        $language = substr($_SERVER['HTTP_ACCEPT_LANGUAGE'] ?? 'en', 0, 2);
        $file = dirname(__DIR__) . '/lang/' . basename($language) . '.php';
        $words = require is_file($file) ? $file : dirname(__DIR__) . '/lang/en.php';
        Answer::page('about', ['words' => $words, 'visits' => $_SESSION['visits']]);
    }

    private function export(string $kind): void
    {
        $class = "Sample\\Export\\{$kind}";
        if (!class_exists($class)) {
            $this->missing("/export/{$kind}");

            return;
        }
        $export = new $class();
        header("Content-Type: {$export->type()}");
        echo $export->of($this->guestbook->all());
    }

    private function decode(string $charset): void
    {
        $text = @iconv($charset, 'UTF-8', (string) file_get_contents('php://input'));
        $text === false ? Answer::json(['error' => 'cannot be read'], 400) : Answer::json(['text' => $text]);
    }

    private function kind(): void
    {
        $data = (string) file_get_contents('php://input');
        Answer::json(['type' => (new \finfo(FILEINFO_MIME_TYPE))->buffer($data), 'sum' => bin2hex(sodium_crypto_generichash($data))]);
    }

    private function missing(string $path): void
    {
        Answer::page('error', ['code' => 404, 'text' => "There is nothing at {$path}"], 404);
    }
}
