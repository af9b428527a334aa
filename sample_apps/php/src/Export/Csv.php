<?php

declare(strict_types=1);

namespace Sample\Export;

/** For spreadsheets of the older kind: semicolons, and Windows' character set. */
final class Csv implements Export
{
    public function type(): string
    {
        return 'text/csv; charset=windows-1252';
    }

    public function of(array $entries): string
    {
        $file = tmpfile();
        foreach ($entries as $entry) {
            fputcsv($file, array_map(static fn ($text) => iconv('UTF-8', 'WINDOWS-1252//TRANSLIT', (string) $text), $entry), ';');
        }
        rewind($file);

        return (string) stream_get_contents($file);
    }
}
