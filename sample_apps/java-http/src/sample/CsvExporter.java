package sample;

import java.util.List;
import java.util.stream.Collectors;

/** Comma-separated values. */
public final class CsvExporter implements Exporter {
    @Override
    public String name() {
        return "csv";
    }

    @Override
    public String type() {
        return "text/csv; charset=utf-8";
    }

    @Override
    public String export(List<Task> tasks) {
        return tasks.stream()
                .map(task -> task.id() + ",\"" + task.title().replace("\"", "\"\"") + "\"\n")
                .collect(Collectors.joining("", "id,title\n", ""));
    }
}
