package io.peft4j.cli.compare;

import static io.peft4j.cli.compare.HtmlPage.escape;

import java.util.List;

/** The parts that tables of reports are made of. */
public final class HtmlTable {

    /** What stands behind the last row. */
    public static final String CLOSE = "</tbody>\n</table>\n</div>\n";

    private HtmlTable() {}

    /**
     * Begins a table. A wide one scrolls by itself, with the keyboard as well; the page does not.
     *
     * @param caption what it shows
     * @param columns the heads
     * @return what stands before the first row
     */
    public static StringBuilder open(String caption, List<String> columns) {
        StringBuilder html =
                new StringBuilder("<div class=\"scroll\" role=\"region\" tabindex=\"0\"");
        html.append(" aria-label=\"").append(escape(caption)).append("\">\n<table>\n<caption>");
        html.append(escape(caption)).append("</caption>\n<thead><tr>");
        for (String column : columns) {
            html.append("<th scope=\"col\">").append(escape(column)).append("</th>");
        }
        return html.append("</tr></thead>\n<tbody>\n");
    }

    /**
     * Writes a cell.
     *
     * @param html takes it
     * @param value its number, to sort by
     * @param text what it says
     * @param below what it says in small letters below that; may be empty
     */
    public static void cell(StringBuilder html, double value, String text, String below) {
        html.append("<td data-value=\"").append(value).append("\">").append(escape(text));
        if (!below.isEmpty()) {
            html.append("<small>").append(escape(below)).append("</small>");
        }
        html.append("</td>");
    }
}
