package io.peft4j.cli.compare;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A page that needs no network: a template whose places are filled, and the style of all pages. */
public final class HtmlPage {

    private static final Pattern PLACE = Pattern.compile("\\{\\{(\\w+)}}");

    private HtmlPage() {}

    /**
     * Fills a template.
     *
     * @param owner the class that the template lies beside
     * @param template the page's file, with places such as {@code {{title}}}
     * @param part gives the HTML for a place, by its name
     * @return the page
     * @throws IOException if the template cannot be read
     */
    public static String fill(Class<?> owner, String template, UnaryOperator<String> part)
            throws IOException {
        Matcher place = PLACE.matcher(text(owner, template));
        // one pass: what is put in is not searched
        return place.replaceAll(found -> Matcher.quoteReplacement(part.apply(found.group(1))));
    }

    /**
     * Returns the style sheet: light and dark, wide and narrow.
     *
     * @return what stands between {@code <style>} tags
     */
    public static String style() {
        try {
            return text(HtmlPage.class, "report.css");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Makes HTML of a text.
     *
     * @param text any text
     * @return the same with entities for what HTML takes for itself
     */
    public static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }

    private static String text(Class<?> owner, String name) throws IOException {
        try (InputStream in =
                Objects.requireNonNull(owner.getResourceAsStream(name), "no resource " + name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
