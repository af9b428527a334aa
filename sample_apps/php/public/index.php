<?php

declare(strict_types=1);

// PHP's own server asks here first; false means: send the file as it is.
$path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path !== '/' && !str_contains($path, '..') && is_file(__DIR__ . $path)) {
    return false;
}

spl_autoload_register(static function (string $class): void {
    $file = dirname(__DIR__) . '/src/' . str_replace(['Sample\\', '\\'], ['', '/'], $class) . '.php';
    if (is_file($file)) {
        require $file;
    }
});

set_exception_handler(static function (Throwable $error): void {
    file_put_contents('php://stderr', $error->getMessage() . "\n");
    Sample\Answer::page('error', ['code' => 500, 'text' => 'That did not work'], 500);
});

file_put_contents('php://stdout', "{$_SERVER['REQUEST_METHOD']} {$path}\n");
(new Sample\Routes(new Sample\Guestbook(dirname(__DIR__) . '/data/guestbook.db')))->handle($_SERVER['REQUEST_METHOD'], $path);
