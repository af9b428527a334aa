package sample;

import java.util.List;

/** One way to write all tasks; found by ServiceLoader. */
public interface Exporter {
    String name();

    String type();

    String export(List<Task> tasks);
}
