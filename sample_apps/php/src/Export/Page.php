<?php

declare(strict_types=1);

namespace Sample\Export;

use DOMDocument;
use DOMXPath;
use XSLTProcessor;

/** A page made by a style sheet, and read again. */
final class Page implements Export
{
    public function type(): string
    {
        return 'text/html; charset=utf-8';
    }

    public function of(array $entries): string
    {
        $document = new DOMDocument('1.0', 'UTF-8');
        $root = $document->appendChild($document->createElement('entries'));
        foreach ($entries as $entry) {
            $root->appendChild($document->createElement('entry'))->appendChild($document->createTextNode($entry['name']));
        }
        $sheet = new DOMDocument();
        $sheet->load(dirname(__DIR__, 2) . '/schema/page.xsl');
        $processor = new XSLTProcessor();
        $processor->importStylesheet($sheet);
        $page = (string) $processor->transformToXml($document);
        $read = new DOMDocument();
        $read->loadHTML($page, LIBXML_NOERROR);

        return $page . '<!-- ' . (new DOMXPath($read))->query('//li')->length . " names -->\n";
    }
}
