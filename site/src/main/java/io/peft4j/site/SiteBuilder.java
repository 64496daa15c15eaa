package io.peft4j.site;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Link;

/**
 * Builds the site: the Markdown pages of the repository as HTML, with the files that they link to.
 * The order of the navigation is that of the links in {@code docs/index.md}.
 *
 * <pre>
 * SiteBuilder REPOSITORY OUTPUT-DIRECTORY
 * </pre>
 *
 * Javadoc that lies in {@code apidocs} of the output is linked to.
 */
public final class SiteBuilder {

    private static final Path README = Path.of("README.md");
    private static final Path GUIDES = Path.of("docs", "index.md");
    static final String API = "apidocs";

    private final Path root;
    private final Path output;
    private final Targets targets;
    private final PageRenderer renderer;
    private final boolean withApi;
    private final Map<Path, Page> pages = new HashMap<>();
    private final Map<String, Path> navigation = new LinkedHashMap<>();

    private SiteBuilder(Path root, Path output) throws IOException {
        this.root = root.toAbsolutePath().normalize();
        this.output = output;
        targets = new Targets(this.root);
        withApi = Files.exists(output.resolve(API).resolve("index.html"));
        renderer = new PageRenderer(targets, ApiIndex.of(output, output.resolve(API)));
        for (Page page : Page.all(this.root)) {
            pages.put(page.path(), page);
        }
    }

    /**
     * Builds the site and ends the process with 1 if a link is broken.
     *
     * @param args the repository's root and the directory to write to
     * @throws IOException if a file cannot be read or written
     */
    public static void main(String[] args) throws IOException {
        List<String> broken = build(Path.of(args[0]), Path.of(args[1]));
        if (!broken.isEmpty()) {
            throw new IllegalStateException(
                    "the site has broken links:\n  " + String.join("\n  ", broken));
        }
    }

    /**
     * Builds the site.
     *
     * @param root the repository's root
     * @param output the directory to write to
     * @return the links that lead nowhere, each with its page
     * @throws IOException if a file cannot be read or written
     */
    public static List<String> build(Path root, Path output) throws IOException {
        Path site = output.toAbsolutePath().normalize();
        SiteBuilder builder = new SiteBuilder(root, site);
        builder.write();
        List<String> broken = new ArrayList<>(builder.targets.broken());
        broken.addAll(SiteLinks.broken(site));
        return broken;
    }

    private void write() throws IOException {
        Files.createDirectories(output);
        Files.writeString(output.resolve("style.css"), resource("style.css"));
        navigation.putAll(guides());
        Deque<Path> waiting = new ArrayDeque<>(List.of(README, GUIDES));
        waiting.addAll(navigation.values());
        Set<Path> done = new HashSet<>();
        while (!waiting.isEmpty()) {
            Path file = waiting.poll();
            if (done.add(file)) {
                write(file);
                waiting.addAll(targets.take());
            }
        }
    }

    /** The pages that the index of guides links to, by their names there. */
    private Map<String, Path> guides() {
        Map<String, Path> guides = new LinkedHashMap<>();
        Page index = Objects.requireNonNull(pages.get(GUIDES), "docs/index.md is missing");
        index.parse()
                .accept(
                        new AbstractVisitor() {
                            @Override
                            public void visit(Link link) {
                                Path file =
                                        GUIDES.resolveSibling(link.getDestination()).normalize();
                                if (pages.containsKey(file)) {
                                    guides.putIfAbsent(Page.text(link), file);
                                }
                            }
                        });
        return guides;
    }

    private void write(Path file) throws IOException {
        Path source = root.resolve(file);
        Path target = targets.output(file);
        Files.createDirectories(output.resolve(target).toAbsolutePath().getParent());
        Page page = pages.get(file);
        if (page != null) {
            put(target, page.title(), renderer.html(page));
        } else if (Targets.isPicture(file)) {
            Files.write(output.resolve(target), Files.readAllBytes(source));
        } else if (Files.isDirectory(source)) {
            put(target, file.toString(), listing(file));
        } else {
            put(target, file.getFileName().toString(), text(file));
        }
    }

    private String text(Path file) throws IOException {
        String name = file.toString();
        String language = name.substring(name.lastIndexOf('.') + 1);
        return "<h1>"
                + Html.escape(file.getFileName().toString())
                + "</h1>\n<p class=\"path\">"
                + Html.escape(name)
                + "</p>\n<pre><code>"
                + Highlighter.html(language, Files.readString(root.resolve(file)))
                + "</code></pre>\n";
    }

    private String listing(Path directory) throws IOException {
        StringBuilder html = new StringBuilder("<h1>").append(directory).append("</h1>\n<ul>\n");
        try (Stream<Path> walk = Files.walk(root.resolve(directory))) {
            for (Path found : (Iterable<Path>) walk.sorted()::iterator) {
                Path file = root.relativize(found);
                if (Files.isRegularFile(found) && !isBuilt(file)) {
                    Path below = directory.relativize(file);
                    String address = targets.address(directory.resolve("index"), below.toString());
                    html.append("<li><a href=\"").append(address).append("\">");
                    html.append(below).append("</a></li>\n");
                }
            }
        }
        return html.append("</ul>\n").toString();
    }

    private static boolean isBuilt(Path file) {
        for (Path name : file) {
            if (name.toString().equals("target") || name.toString().startsWith(".")) {
                return true;
            }
        }
        return false;
    }

    private void put(Path target, String title, String body) throws IOException {
        StringBuilder links = new StringBuilder();
        link(links, target, "Start", targets.output(README));
        navigation.forEach((name, page) -> link(links, target, name, targets.output(page)));
        if (withApi) {
            link(links, target, "Javadoc", Path.of(API, "index.html"));
        }
        String html =
                resource("page.html")
                        .replace("${title}", Html.escape(title))
                        .replace("${style}", Targets.relative(target, Path.of("style.css")))
                        .replace("${home}", Targets.relative(target, targets.output(README)))
                        .replace("${navigation}", links)
                        .replace("${body}", body);
        Files.writeString(output.resolve(target), html);
    }

    private static void link(StringBuilder html, Path from, String name, Path to) {
        html.append("<a");
        if (from.equals(to)) {
            html.append(" aria-current=\"page\"");
        }
        html.append(" href=\"").append(Targets.relative(from, to)).append("\">");
        html.append(Html.escape(name)).append("</a>\n");
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = SiteBuilder.class.getResourceAsStream(name)) {
            return new String(
                    Objects.requireNonNull(in, name).readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
