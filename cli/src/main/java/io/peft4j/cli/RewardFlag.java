package io.peft4j.cli;

import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardFunction;
import io.peft4j.tuning.online.judges.CalculatorMarks;
import io.peft4j.tuning.online.judges.ExactMatch;
import io.peft4j.tuning.online.judges.FinalAnswer;
import io.peft4j.tuning.online.judges.OverlongPenalty;
import io.peft4j.tuning.online.judges.PatternMatch;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * One value of {@code --reward}. What stands behind its last equals sign is the weight if it is a
 * number, so that a regular expression may hold such signs.
 *
 * @param judge the name of a built-in, of a class or of a source file
 * @param weight what its rewards are multiplied by
 */
record RewardFlag(String judge, double weight) {

    private static final Pattern WEIGHTED =
            Pattern.compile("(?s)(.+)=([-+]?[0-9]*\\.?[0-9]+(?:[eE][-+]?[0-9]+)?)");
    private static final Pattern LENGTHS = Pattern.compile("([0-9]{1,9}),([0-9]{1,9})");
    private static final Pattern CLASS_NAME =
            Pattern.compile("[\\p{L}_$][\\p{L}\\p{N}_$]*(?:\\.[\\p{L}_$][\\p{L}\\p{N}_$]*)*");
    private static final String REGEX = "regex:";
    private static final String OVERLONG = "overlong:";
    private static final String SOURCE = ".java";
    private static final String BUILT_IN =
            "final_answer, exact_match, calculator_marks, regex:PATTERN, overlong:MOST,MARGIN";

    static RewardFlag parse(String text) {
        Matcher weighted = WEIGHTED.matcher(text);
        if (weighted.matches()) {
            return new RewardFlag(weighted.group(1), Double.parseDouble(weighted.group(2)));
        }
        if (!text.startsWith(REGEX) && text.contains("=")) {
            throw new UsageException(
                    "--reward "
                            + text
                            + ": expected a number as the weight, found \""
                            + text.substring(text.lastIndexOf('=') + 1)
                            + "\"");
        }
        return new RewardFlag(text, 1);
    }

    void requireFiniteWeight() {
        if (!Double.isFinite(weight)) {
            throw new UsageException(
                    "--reward " + judge + ": expected a finite weight, found " + weight);
        }
    }

    /** Makes the judge. */
    Reward reward() {
        requireFiniteWeight();
        if (judge.startsWith(REGEX)) {
            return new Reward("regex", pattern(judge.substring(REGEX.length())), weight);
        }
        if (judge.startsWith(OVERLONG)) {
            return new Reward("overlong", overlong(judge.substring(OVERLONG.length())), weight);
        }
        return switch (judge) {
            case "final_answer" -> new Reward(judge, new FinalAnswer(), weight);
            case "exact_match" -> new Reward(judge, new ExactMatch(), weight);
            case "calculator_marks" -> new Reward(judge, new CalculatorMarks(), weight);
            default -> own();
        };
    }

    private static RewardFunction pattern(String expression) {
        try {
            return new PatternMatch(Pattern.compile(expression));
        } catch (PatternSyntaxException e) {
            throw new UsageException(
                    "--reward regex: "
                            + e.getDescription()
                            + " at character "
                            + e.getIndex()
                            + " of "
                            + expression,
                    e);
        }
    }

    private static RewardFunction overlong(String text) {
        Matcher lengths = LENGTHS.matcher(text);
        if (!lengths.matches()) {
            throw new UsageException(
                    "--reward overlong: expected two whole numbers, MOST,MARGIN, found \""
                            + text
                            + "\"");
        }
        try {
            return new OverlongPenalty(
                    Integer.parseInt(lengths.group(1)), Integer.parseInt(lengths.group(2)));
        } catch (IllegalArgumentException e) {
            throw new UsageException("--reward overlong: " + e.getMessage(), e);
        }
    }

    /** Makes a judge of the user's. */
    private Reward own() {
        if (judge.endsWith(SOURCE)) {
            Path file = Path.of(judge);
            Checks.file("--reward", file);
            String name = file.getFileName().toString();
            return new Reward(
                    name.substring(0, name.length() - SOURCE.length()),
                    RewardSource.compile(file),
                    weight);
        }
        Class<?> found = CLASS_NAME.matcher(judge).matches() ? find(judge) : null;
        if (found == null) {
            throw new UsageException(
                    "--reward: expected one of "
                            + BUILT_IN
                            + ", the name of a class on the class path, or a file NAME.java, found"
                            + " \""
                            + judge
                            + "\"");
        }
        return new Reward(found.getSimpleName(), RewardClass.create(found), weight);
    }

    private static @Nullable Class<?> find(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            return null;
        }
    }
}
