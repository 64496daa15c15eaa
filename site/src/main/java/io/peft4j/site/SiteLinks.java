package io.peft4j.site;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Follows the links of a built site. */
final class SiteLinks {

    private static final Pattern LINK = Pattern.compile("\\s(?:href|src)=\"([^\"]*)\"");
    private static final Pattern ANCHOR = Pattern.compile("\\sid=\"([^\"]*)\"");

    private final Path site;
    private final Map<Path, Set<String>> anchors = new HashMap<>();

    private SiteLinks(Path site) {
        this.site = site;
    }

    /**
     * Finds the links that lead nowhere, to a file or to a place in it. Javadoc is led to, but its
     * own links are javadoc's care; the network is not asked.
     *
     * @param site the site's root
     * @return page and link, each in a line
     */
    static List<String> broken(Path site) throws IOException {
        SiteLinks links = new SiteLinks(site);
        List<String> broken = new ArrayList<>();
        List<Path> pages;
        try (Stream<Path> walk = Files.walk(site)) {
            pages =
                    walk.filter(file -> file.toString().endsWith(".html"))
                            .filter(file -> !site.relativize(file).startsWith(SiteBuilder.API))
                            .toList();
        }
        for (Path page : pages) {
            Matcher matcher = LINK.matcher(Files.readString(page));
            while (matcher.find()) {
                if (!links.leadsSomewhere(page, matcher.group(1))) {
                    broken.add(site.relativize(page) + ": " + matcher.group(1));
                }
            }
        }
        return broken;
    }

    private boolean leadsSomewhere(Path page, String link) throws IOException {
        if (link.matches("[a-z]+:.*")) {
            return true;
        }
        int hash = link.indexOf('#');
        String path = hash < 0 ? link : link.substring(0, hash);
        Path file = path.isEmpty() ? page : page.resolveSibling(path).normalize();
        return file.startsWith(site)
                && Files.isRegularFile(file)
                && (hash < 0 || anchors(file).contains(link.substring(hash + 1)));
    }

    private Set<String> anchors(Path file) throws IOException {
        Set<String> known = anchors.get(file);
        if (known == null) {
            known = new HashSet<>();
            Matcher matcher = ANCHOR.matcher(Files.readString(file));
            while (matcher.find()) {
                known.add(matcher.group(1));
            }
            anchors.put(file, known);
        }
        return known;
    }
}
