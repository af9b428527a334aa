package sample;

import java.nio.charset.StandardCharsets;
import java.util.Map;

/** What is sent back. */
public record Answer(int status, String type, byte[] body, Map<String, String> headers) {
    static Answer html(int status, String text) {
        return new Answer(status, "text/html; charset=utf-8", text.getBytes(StandardCharsets.UTF_8), Map.of());
    }

    static Answer json(int status, String text) {
        return new Answer(status, "application/json", (text + "\n").getBytes(StandardCharsets.UTF_8), Map.of());
    }

    Answer with(String name, String value) {
        return new Answer(status, type, body, Map.of(name, value));
    }
}
