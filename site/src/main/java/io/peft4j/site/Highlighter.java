package io.peft4j.site;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Colours code: comments, strings, and the words of a language. */
final class Highlighter {

    private static final Pattern JAVA =
            Pattern.compile(
                    "(?<comment>//[^\n]*|/\\*.*?\\*/)"
                            + "|(?<string>\"\"\".*?\"\"\"|\"(?:\\\\.|[^\"\\\\\n])*\")"
                            + "|(?<word>@\\w+|\\b(?:abstract|boolean|break|byte|case|catch|char|class"
                            + "|continue|default|do|double|else|enum|extends|final|finally|float|for"
                            + "|if|implements|import|instanceof|int|interface|long|new|null|package"
                            + "|private|protected|public|record|return|sealed|short|static|super"
                            + "|switch|synchronized|this|throw|throws|true|false|try|var|void"
                            + "|volatile|while)\\b)",
                    Pattern.DOTALL);
    private static final Pattern SHELL =
            Pattern.compile(
                    "(?<comment>(?<![^\\s])#[^\n]*)"
                            + "|(?<string>\"(?:\\\\.|[^\"\\\\])*\"|'[^']*')"
                            + "|(?<word>(?<![^\\s])--?[a-zA-Z][\\w-]*)");
    private static final Pattern DATA =
            Pattern.compile(
                    "(?<comment><!--.*?-->)|(?<string>\"(?:\\\\.|[^\"\\\\])*\")"
                            + "|(?<word></?[\\w.-]+/?>|\\b(?:true|false|null|import|from|def)\\b)",
                    Pattern.DOTALL);
    private static final Map<String, Pattern> LANGUAGES =
            Map.of("java", JAVA, "sh", SHELL, "json", DATA, "xml", DATA, "python", DATA);

    private Highlighter() {}

    /** Returns HTML of a piece of code; what is no known language is escaped alone. */
    static String html(String language, String code) {
        Pattern pattern = LANGUAGES.get(language);
        if (pattern == null) {
            return Html.escape(code);
        }
        StringBuilder html = new StringBuilder();
        Matcher matcher = pattern.matcher(code);
        int done = 0;
        while (matcher.find()) {
            html.append(Html.escape(code.substring(done, matcher.start())));
            String kind =
                    matcher.group("comment") != null
                            ? "c"
                            : matcher.group("string") != null ? "s" : "k";
            html.append("<span class=\"").append(kind).append("\">");
            html.append(Html.escape(matcher.group())).append("</span>");
            done = matcher.end();
        }
        return html.append(Html.escape(code.substring(done))).toString();
    }
}
