<?php

declare(strict_types=1);

namespace Sample\Export;

/** One way to hand out all entries. */
interface Export
{
    public function type(): string;

    /** @param list<array{id: int, name: string, words: string}> $entries */
    public function of(array $entries): string;
}
