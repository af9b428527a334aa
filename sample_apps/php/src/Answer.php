<?php

declare(strict_types=1);

namespace Sample;

/** What is sent back. */
final class Answer
{
    /** @param array<string, mixed> $values */
    public static function page(string $template, array $values, int $code = 200): void
    {
        http_response_code($code);
        header('Content-Type: text/html; charset=utf-8');
        $escape = static fn (mixed $text): string => htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
        extract($values);
        ob_start();
        require dirname(__DIR__) . "/templates/{$template}.php";
        $body = ob_get_clean();
        require dirname(__DIR__) . '/templates/layout.php';
    }

    public static function json(mixed $value, int $code = 200): void
    {
        http_response_code($code);
        header('Content-Type: application/json');
        echo json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
    }

    public static function redirect(string $path): void
    {
        header("Location: {$path}", true, 303);
    }
}
