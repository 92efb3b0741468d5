package org.example.stock;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** Counts what is in stock (by name). */
public final class Inventory {
    private static final char CLOSER = ')';
    private static final String PATTERN = "[()\\]]";

    private final Map<String, Integer> counts = new HashMap<>();

    public void add(String name, int count) {
        if (count < 0) {
            throw new IllegalArgumentException("negative count (" + count + ")");
        } else if (name.isBlank()) {
            return;
        } else {
            counts.merge(name, count, Integer::sum);
        }
    }

    public static Inventory read(Path path)
            throws IOException {
        Inventory inventory = new Inventory();
        for (String line : Files.readAllLines(path)) {
            String[] parts = line.split(":", 2);
            try {
                inventory.add(parts[0].trim(), Integer.parseInt(parts[1].trim()));
            } catch (NumberFormatException | ArrayIndexOutOfBoundsException error) {
                throw new IOException("cannot read line: " + line, error);
            } finally {
                System.out.println("read " + line.replaceAll(PATTERN, ""));
            }
        }
        return inventory;
    }

    public List<String> names(Predicate<String> wanted) {
        List<String> names = new ArrayList<>();
        counts.forEach((name, count) -> {
            if (count > 0 && wanted.test(name)) {
                names.add(name);
            }
        });
        names.sort((left, right) -> {
            return left.compareTo(right);
        });
        return names;
    }

    public int total() {
        return counts.values().stream()
                .filter(count -> count > 0)
                .mapToInt(Integer::intValue)
                .sum();
    }

    public String describe(String name) {
        int count = counts.getOrDefault(name, 0);
        switch (count) {
            case 0:
                return "none";
            case 1:
                return "one " + name + CLOSER;
            default:
                break;
        }
        do {
            count /= 10;
        } while (count > 10);
        return """
            many (more than ten)
            of %s }
            """.formatted(name);
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (Map.Entry<String, Integer> entry : counts.entrySet()) {
            text.append(entry.getKey()).append(": ").append(entry.getValue()).append('\n');
        }
        return text.toString();
    }
}
