package io.peft4j.site;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Where a page's links lead on the site. A page becomes HTML of its name, README the site's index;
 * pictures are copied; another file is shown as text, and a directory as a list. What is led to is
 * remembered, so that the site has it.
 */
final class Targets {

    private final Path root;
    private final Set<Path> files = new LinkedHashSet<>();
    private final List<String> broken = new ArrayList<>();

    Targets(Path root) {
        this.root = root.normalize();
    }

    /** Returns the address of a page's link, as seen from that page on the site. */
    String address(Path page, String destination) {
        if (destination.matches("[a-z]+:.*") || destination.startsWith("#")) {
            return destination;
        }
        int hash = destination.indexOf('#');
        String path = hash < 0 ? destination : destination.substring(0, hash);
        String anchor = hash < 0 ? "" : destination.substring(hash);
        Path file = root.resolve(page).resolveSibling(path).normalize();
        if (!file.startsWith(root) || !Files.exists(file)) {
            broken.add(page + ": no such file: " + destination);
            return destination;
        }
        Path target = root.relativize(file);
        files.add(target);
        return relative(output(page), output(target)) + anchor;
    }

    /** Returns the address of a file of the site, as seen from another. */
    static String relative(Path from, Path to) {
        Path parent = from.getParent();
        Path way = parent == null ? to : parent.relativize(to);
        return way.toString().replace('\\', '/');
    }

    /** Returns where a file of the repository is on the site. */
    Path output(Path file) {
        String name = file.toString();
        if (name.equals("README.md") || name.isEmpty()) {
            return Path.of("index.html");
        }
        if (name.endsWith(".md")) {
            return Path.of(name.substring(0, name.length() - ".md".length()) + ".html");
        }
        if (isPicture(file)) {
            return file;
        }
        return Files.isDirectory(root.resolve(file))
                ? file.resolve("index.html")
                : Path.of(name + ".html");
    }

    static boolean isPicture(Path file) {
        return file.toString().matches(".*\\.(svg|png|jpg)");
    }

    /** Returns what links lead to, and what that leads to was not asked yet. */
    List<Path> take() {
        List<Path> taken = List.copyOf(files);
        files.clear();
        return taken;
    }

    /** Returns the links that lead nowhere. */
    List<String> broken() {
        return List.copyOf(broken);
    }
}
