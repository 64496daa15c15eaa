package io.peft4j.cli;

import ai.djl.engine.EngineException;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.cli.compare.ExperimentException;
import io.peft4j.cli.pipeline.PipelineException;
import io.peft4j.tuning.CheckpointingUnavailableException;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.TrainingInterruptedException;
import io.peft4j.tuning.online.rejection.SamplingInterruptedException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.Locale;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what went wrong into one line for the user and an exit code. */
final class Failure {

    /** As the shell has it for a process that SIGINT ended. */
    static final int INTERRUPTED = 130;

    // a hostile file can put anything into a message, at any length
    private static final int LONGEST = 4000;
    private static final Pattern CONTROL =
            Pattern.compile("[\\p{Cc}\\u2028\\u2029\\u202a-\\u202e]");
    private static final Pattern LINES = Pattern.compile("\\s*\\R\\s*");

    private Failure() {}

    static int exitCode(Throwable thrown) {
        Throwable e = cause(thrown);
        if (isInterrupt(e)) {
            return INTERRUPTED;
        }
        return e instanceof UsageException
                        || e instanceof ParameterException
                        || e instanceof AdapterConfigException
                        || e instanceof ExperimentException
                        || e instanceof PipelineException
                        || e instanceof CheckpointingUnavailableException
                        || e instanceof ResumeMismatchException
                ? ExitCode.USAGE
                : ExitCode.SOFTWARE;
    }

    static String line(Throwable thrown) {
        Throwable e = cause(thrown);
        String text = e instanceof EngineException ? firstLine(describe(e)) : describe(e);
        text = LINES.matcher(text.strip()).replaceAll(" ");
        text = CONTROL.matcher(text).replaceAll("?");
        return text.length() > LONGEST ? text.substring(0, LONGEST) + " …" : text;
    }

    private static String describe(Throwable e) {
        String message = e.getMessage() == null ? "" : e.getMessage();
        if (isInterrupt(e)) {
            return e instanceof RuntimeException ? message : "interrupted"; // ours say where
        }
        if (e instanceof OutOfMemoryError || isNativeOutOfMemory(message)) {
            return "out of memory ("
                    + firstLine(message)
                    + "); a smaller --batch-size or --max-length needs less";
        }
        if (e instanceof StackOverflowError) {
            return "the input is nested too deeply";
        }
        if (e instanceof UnmatchedArgumentException unmatched) {
            String near = String.join(", ", unmatched.getSuggestions());
            return message + (near.isEmpty() ? "" : "; nearest: " + near);
        }
        if (e instanceof FileSystemException file) {
            return describe(file);
        }
        if (message.equals("No space left on device")) {
            return "the disk of --output is full: " + message; // a channel does not know its file
        }
        if (isBug(e)) {
            return "internal error: "
                    + e.getClass().getSimpleName()
                    + (message.isEmpty() ? "" : ": " + message)
                    + "; --verbose shows where";
        }
        return message.isBlank()
                ? "failed with " + e.getClass().getName() + "; --verbose shows where"
                : message;
    }

    private static String describe(FileSystemException e) {
        if (e instanceof NoSuchFileException) {
            return "no such file or directory: " + e.getMessage();
        }
        if (e instanceof AccessDeniedException) {
            return "permission denied: " + e.getMessage();
        }
        if (e instanceof FileAlreadyExistsException) {
            return "exists already: " + e.getMessage();
        }
        if (e instanceof DirectoryNotEmptyException) {
            return "directory is not empty: " + e.getFile();
        }
        if (e instanceof NotDirectoryException) {
            return "not a directory: " + e.getFile();
        }
        return String.valueOf(e.getMessage());
    }

    /** Looks below the wrappers that carry an exception out of a lambda or a thread. */
    private static Throwable cause(Throwable thrown) {
        Throwable e = thrown;
        while (e.getCause() != null
                && (e instanceof UncheckedIOException
                        || e instanceof ExecutionException
                        || e instanceof CompletionException
                        || (e instanceof ParameterException
                                && e.getCause() instanceof UsageException)
                        || e instanceof ExceptionInInitializerError)) {
            e = e.getCause();
        }
        return e;
    }

    private static boolean isInterrupt(Throwable e) {
        return e instanceof InterruptedException
                || e instanceof ClosedByInterruptException
                || e instanceof InterruptedIOException
                || e instanceof TrainingInterruptedException
                || e instanceof SamplingInterruptedException;
    }

    private static boolean isNativeOutOfMemory(String message) {
        String lower = message.toLowerCase(Locale.ROOT);
        return lower.contains("out of memory")
                || lower.contains("can't allocate memory")
                || lower.contains("cannot allocate memory");
    }

    private static boolean isBug(Throwable e) {
        return e instanceof NullPointerException
                || e instanceof IndexOutOfBoundsException
                || e instanceof ClassCastException
                || e instanceof AssertionError
                || e instanceof LinkageError;
    }

    private static String firstLine(String text) {
        return text.lines().findFirst().orElse("");
    }
}
