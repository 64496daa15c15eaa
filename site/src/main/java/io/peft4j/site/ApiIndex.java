package io.peft4j.site;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The pages of a Javadoc, by the names of their types. */
final class ApiIndex {

    private static final Pattern TYPE_PAGE = Pattern.compile("[A-Z]\\w*(?:\\.[A-Z]\\w*)*\\.html");
    private static final Pattern CODE =
            Pattern.compile("@?([A-Z]\\w*(?:\\.[A-Z]\\w*)*)(?:\\.(\\w+)(?:\\(.*\\))?)?");

    private final Map<String, Path> pages = new HashMap<>();

    private ApiIndex() {}

    /**
     * Reads what lies in a directory; none is an empty index.
     *
     * @param site the site's root, below which pages are named
     * @param api the Javadoc's root
     */
    static ApiIndex of(Path site, Path api) throws IOException {
        ApiIndex index = new ApiIndex();
        if (!Files.isDirectory(api)) {
            return index;
        }
        Set<String> twice = new HashSet<>();
        try (Stream<Path> walk = Files.walk(api)) {
            for (Path file : (Iterable<Path>) walk::iterator) {
                String name = file.getFileName().toString();
                if (TYPE_PAGE.matcher(name).matches() && !file.toString().contains("class-use")) {
                    String type = name.substring(0, name.length() - ".html".length());
                    if (index.pages.put(type, site.relativize(file)) != null) {
                        twice.add(type);
                    }
                }
            }
        }
        index.pages.keySet().removeAll(twice);
        return index;
    }

    /** Finds the page of the type that a piece of code names, alone or with one of its members. */
    Optional<Path> find(String code) {
        Matcher matcher = CODE.matcher(code);
        return matcher.matches()
                ? Optional.ofNullable(pages.get(matcher.group(1)))
                : Optional.empty();
    }
}
