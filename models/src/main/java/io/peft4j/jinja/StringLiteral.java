package io.peft4j.jinja;

/** Python's escapes in a string. */
final class StringLiteral {

    private StringLiteral() {}

    static String decode(String raw) {
        StringBuilder out = new StringBuilder();
        int i = 0;
        while (i < raw.length()) {
            char c = raw.charAt(i++);
            if (c != '\\' || i == raw.length()) {
                out.append(c);
                continue;
            }
            char escape = raw.charAt(i++);
            switch (escape) {
                case 'n' -> out.append('\n');
                case 't' -> out.append('\t');
                case 'r' -> out.append('\r');
                case 'b' -> out.append('\b');
                case 'f' -> out.append('\f');
                case 'a' -> out.append('\u0007');
                case 'v' -> out.append('\u000b');
                case '\\', '\'', '"' -> out.append(escape);
                case '\n' -> {}
                case 'x', 'u', 'U' -> {
                    int length = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
                    out.appendCodePoint(number(raw, i, length, 16));
                    i += length;
                }
                default -> {
                    int digits = octalDigits(raw, i - 1);
                    if (digits > 0) {
                        out.appendCodePoint(number(raw, i - 1, digits, 8));
                        i += digits - 1;
                    } else {
                        out.append('\\').append(escape);
                    }
                }
            }
        }
        return out.toString();
    }

    private static int octalDigits(String raw, int from) {
        int end = from;
        while (end < Math.min(raw.length(), from + 3)
                && raw.charAt(end) >= '0'
                && raw.charAt(end) <= '7') {
            end++;
        }
        return end - from;
    }

    private static int number(String raw, int from, int length, int radix) {
        try {
            int value = Integer.parseInt(raw.substring(from, from + length), radix);
            if (Character.isValidCodePoint(value)) {
                return value;
            }
        } catch (NumberFormatException | StringIndexOutOfBoundsException e) {
            // said below
        }
        throw new JinjaException("a string has a damaged \\ escape");
    }
}
