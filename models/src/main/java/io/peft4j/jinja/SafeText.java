package io.peft4j.jinja;

/**
 * Text that the filter {@code safe} has marked. Added to other text, it makes Python escape the
 * other for HTML, whatever the template is for.
 */
record SafeText(String text) {

    /** Escapes as markupsafe does. */
    static String escape(Object value) {
        return value instanceof SafeText safe
                ? safe.text()
                : Values.text(value)
                        .replace("&", "&amp;")
                        .replace("<", "&lt;")
                        .replace(">", "&gt;")
                        .replace("\"", "&#34;")
                        .replace("'", "&#39;");
    }
}
