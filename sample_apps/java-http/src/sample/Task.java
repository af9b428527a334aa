package sample;

/** Something to be done. */
public record Task(int id, String title) {
    String json() {
        return "{\"id\": " + id + ", \"title\": \"" + Text.json(title) + "\"}";
    }
}
