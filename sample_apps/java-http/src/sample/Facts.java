package sample;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.text.NumberFormat;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.Currency;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/** Answers that lean on the platform: time zones, languages, trust, digests, pictures. */
final class Facts {
    Answer time(Map<String, String> query) {
        try {
            ZonedDateTime moment = Instant.ofEpochSecond(Long.parseLong(query.getOrDefault("at", "0")))
                    .atZone(ZoneId.of(query.getOrDefault("zone", "UTC")));
            String text = DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(locale(query)).format(moment);
            return Answer.json(200, "{\"time\": \"" + moment.toOffsetDateTime() + "\", \"date\": \"" + Text.json(text) + "\"}");
        } catch (DateTimeException error) {
            throw new IllegalArgumentException("no such time", error);
        }
    }

    Answer price(Map<String, String> query) {
        NumberFormat format = NumberFormat.getCurrencyInstance(locale(query));
        format.setCurrency(Currency.getInstance(query.getOrDefault("currency", "EUR")));
        String text = format.format(Double.parseDouble(query.getOrDefault("amount", "0")));
        return Answer.json(200, "{\"text\": \"" + Text.json(text) + "\"}");
    }

    /** Whether outgoing TLS could trust anybody. */
    Answer trust() {
        try {
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init((KeyStore) null);
            int authorities = ((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers().length;
            return Answer.json(200, "{\"authorities\": " + (authorities > 0) + "}");
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    Answer hash(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return Answer.json(200, "{\"sha256\": \"" + HexFormat.of().formatHex(digest) + "\"}");
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    Answer circle(Map<String, String> query) {
        int size = Math.min(Math.max(Integer.parseInt(query.getOrDefault("size", "32")), 1), 256);
        BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        graphics.setColor(new Color(0x224477));
        graphics.fillOval(0, 0, size, size);
        graphics.dispose();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", out);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return new Answer(200, "image/png", out.toByteArray(), Map.of());
    }

    private static Locale locale(Map<String, String> query) {
        return Locale.forLanguageTag(query.getOrDefault("locale", "en-GB"));
    }
}
