package sample;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

/** Which path is answered by what. */
final class Routes implements HttpHandler {
    private static final int MAX_BODY = 65536;

    private final List<Task> tasks = new CopyOnWriteArrayList<>(List.of(new Task(1, "Read"), new Task(2, "Write")));
    private final Facts facts = new Facts();

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        Answer answer;
        try {
            answer = answer(exchange);
        } catch (IllegalArgumentException error) {
            answer = Answer.json(400, "{\"error\": \"" + Text.json(String.valueOf(error.getMessage())) + "\"}");
        } catch (RuntimeException | LinkageError | InternalError error) {
            System.err.println(error.getMessage());
            answer = error(500, "That did not work");
        }
        System.out.println(exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath() + " " + answer.status());
        exchange.getResponseHeaders().set("Content-Type", answer.type());
        answer.headers().forEach(exchange.getResponseHeaders()::set);
        boolean empty = answer.body().length == 0 || exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(answer.status(), empty ? -1 : answer.body().length);
        if (!empty) {
            exchange.getResponseBody().write(answer.body());
        }
        exchange.close();
    }

    private Answer answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        boolean post = exchange.getRequestMethod().equals("POST");
        Map<String, String> query = Text.pairs(exchange.getRequestURI().getRawQuery());
        switch (path) {
            case "/":
                return Answer.html(200, Text.render("index.html", Map.of("tasks", items())));
            case "/healthz":
                return Answer.json(200, "{\"status\": \"ok\"}");
            case "/tasks":
                return post ? submit(Text.pairs(body(exchange))) : list();
            case "/api/hash":
                return post ? facts.hash(body(exchange)) : error(405, "Use POST");
            case "/api/time":
                return facts.time(query);
            case "/api/price":
                return facts.price(query);
            case "/api/trust":
                return facts.trust();
            case "/api/circle":
                return facts.circle(query);
            case "/api/names":
                return Network.names();
            case "/api/fetch":
                return Network.fetch(exchange.getLocalAddress().getPort(), query.getOrDefault("path", "/healthz"));
            case "/api/handshake":
                return Network.handshake("yes".equals(query.get("trusted")));
            case "/api/seal":
                return Platform.seal(body(exchange));
            case "/api/decode":
                return Platform.decode(exchange.getRequestBody().readNBytes(MAX_BODY), query.getOrDefault("charset", "UTF-8"));
            case "/api/stamp":
                return Platform.stamp(query.getOrDefault("text", "A"));
            case "/api/transform":
                return Platform.transform(body(exchange));
            case "/api/load":
                return Platform.load();
            case "/api/checksum":
                return Platform.checksum(exchange.getRequestBody().readNBytes(MAX_BODY));
            case "/broken":
                throw new IllegalStateException("broken on purpose");
            default:
                return elsewhere(path);
        }
    }

    private Answer elsewhere(String path) {
        if (path.startsWith("/export/")) {
            for (Exporter exporter : ServiceLoader.load(Exporter.class)) {
                if (path.equals("/export/" + exporter.name())) {
                    return new Answer(200, exporter.type(), exporter.export(tasks).getBytes(StandardCharsets.UTF_8), Map.of());
                }
            }
        }
        if (path.startsWith("/tasks/")) {
            for (Task task : tasks) {
                if (path.equals("/tasks/" + task.id())) {
                    return Answer.html(200, Text.render("task.html", Map.of("title", Text.html(task.title()))));
                }
            }
        }
        if (path.startsWith("/static/") && !path.contains("..")) {
            byte[] file = Text.resource(path.substring(1));
            if (file != null) {
                return new Answer(200, path.endsWith(".css") ? "text/css" : "image/svg+xml", file, Map.of());
            }
        }
        return error(404, "There is nothing at " + path);
    }

    private Answer submit(Map<String, String> form) {
        String title = form.getOrDefault("title", "").strip();
        if (title.isEmpty()) {
            return error(422, "A title is needed");
        }
        Task task;
        synchronized (tasks) {
            task = new Task(tasks.size() + 1, title);
            tasks.add(task);
        }
        return Answer.html(303, "").with("Location", "/tasks/" + task.id());
    }

    private Answer list() {
        return Answer.json(200, tasks.stream().map(Task::json).collect(Collectors.joining(", ", "[", "]")));
    }

    private String items() {
        return tasks.stream()
                .map(task -> "<li><a href=\"/tasks/" + task.id() + "\">" + Text.html(task.title()) + "</a></li>\n")
                .collect(Collectors.joining());
    }

    private static Answer error(int status, String text) {
        return Answer.html(status, Text.render("error.html", Map.of("code", "" + status, "text", Text.html(text))));
    }

    private static String body(HttpExchange exchange) throws IOException {
        byte[] data = exchange.getRequestBody().readNBytes(MAX_BODY);
        return new String(data, StandardCharsets.UTF_8);
    }
}
