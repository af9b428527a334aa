<?php

declare(strict_types=1);

namespace Sample;

use RuntimeException;

/** What leads out of the house: names, trust, certificates, transfers. */
final class Network
{
    /** @return array<string, mixed> */
    public static function names(): array
    {
        return ['localhost' => gethostbyname('localhost'), 'https' => getservbyname('https', 'tcp'), 'tcp' => getprotobyname('tcp')];
    }

    /** @return array<string, mixed> A certificate of one's own, as a mail gateway may need one. */
    public static function certificate(string $name): array
    {
        $key = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
        $request = $key === false ? false : openssl_csr_new(['commonName' => $name], $key);
        if ($request === false) {
            throw new RuntimeException('no certificate: ' . openssl_error_string());
        }
        $facts = openssl_x509_parse(openssl_csr_sign($request, null, $key, 1));

        return ['name' => $facts['subject']['CN'], 'issuer' => $facts['issuer']['CN']];
    }

    /** @return array<string, mixed> */
    public static function transfer(string $url): array
    {
        $curl = curl_init($url);
        curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 5, CURLOPT_CERTINFO => true]);
        $body = curl_exec($curl);

        return ['size' => is_string($body) ? strlen($body) : null, 'error' => curl_errno($curl)];
    }
}
