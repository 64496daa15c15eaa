package io.peft4j.adapters.contract;

import java.io.ByteArrayOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Listens to what is printed, until it is closed, for warnings and errors. All logging libraries
 * print them to one of the standard streams unless told otherwise, the level in capitals.
 */
final class LoggedProblems implements AutoCloseable {

    private static final Pattern PROBLEM = Pattern.compile("\\b(WARN|WARNING|ERROR|SEVERE)\\b");

    /** DJL says now and then that a machine has no usable GPU. */
    private static final String ABOUT_THE_MACHINE = "ai.djl.util.cuda.";

    private final PrintStream out = System.out;
    private final PrintStream err = System.err;
    private final ByteArrayOutputStream heard = new ByteArrayOutputStream();

    LoggedProblems() {
        System.setOut(new PrintStream(new Both(out, heard), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(new Both(err, heard), true, StandardCharsets.UTF_8));
    }

    List<String> lines() {
        return heard.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> PROBLEM.matcher(line).find())
                .filter(line -> !line.contains(ABOUT_THE_MACHINE))
                .toList();
    }

    @Override
    public void close() {
        System.setOut(out);
        System.setErr(err);
    }

    private static final class Both extends FilterOutputStream {

        private final OutputStream copy;

        Both(OutputStream original, OutputStream copy) {
            super(original);
            this.copy = copy;
        }

        @Override
        public void write(int b) throws IOException {
            out.write(b);
            copy.write(b);
        }

        @Override
        public void write(byte[] bytes, int from, int count) throws IOException {
            out.write(bytes, from, count);
            copy.write(bytes, from, count);
        }

        @Override
        public void close() {
            // the original stays open
        }
    }
}
