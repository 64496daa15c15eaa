package io.peft4j.tensorboard;

import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LogHistory;
import io.peft4j.tuning.TrainingReport;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Writes a training as TensorBoard shows it, under the names that transformers' trainer gives it:
 * {@code train/loss}, {@code train/learning_rate}, {@code train/grad_norm}, {@code eval/loss}; the
 * settings as the text {@code args} and as hyper-parameters. A run that resumes goes on in a new
 * event file, which voids what the old ones have of the steps that it does again.
 */
public final class TensorBoardReport implements TrainingReport {

    private static final String EVALUATION = "eval_";

    /** Settings that are no hyper-parameters: no chart is drawn over a hash. */
    private static final Predicate<String> HASH =
            Pattern.compile("(sha256|fingerprint)$").asPredicate();

    private final Path directory;
    private Map<String, String> settings = Map.of();
    private @Nullable EventFile events;

    /**
     * Reports into a directory, which is one run of TensorBoard's.
     *
     * @param directory where event files go; made when training starts
     */
    public TensorBoardReport(Path directory) {
        this.directory = directory;
    }

    @Override
    public void onSettings(Map<String, String> settings) {
        this.settings = new TreeMap<>(settings);
    }

    @Override
    public void onStart(int doneSteps, int totalSteps) {
        try {
            EventFile begun = EventFile.begin(directory, doneSteps + 1L);
            events = begun;
            if (!begun.continues() && !settings.isEmpty()) {
                begun.text("args", table(), 0);
                Map<String, String> numbers = new TreeMap<>(settings);
                numbers.keySet().removeIf(HASH);
                begun.hyperParameters(numbers);
            }
            begun.flush();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private String table() {
        StringBuilder table = new StringBuilder("|setting|value|\n|---|---|\n");
        settings.forEach(
                (key, value) ->
                        table.append('|')
                                .append(key)
                                .append('|')
                                .append(value.replace("|", "\\|").replace("\n", " "))
                                .append("|\n"));
        return table.toString();
    }

    @Override
    public void onStep(TrainingStep step) {
        write(step.step(), LogHistory.of(step));
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        write(step, LogHistory.of(result));
    }

    @Override
    public void onFinish(TrainingResult result, Path output) {
        EventFile open = events;
        if (open == null) {
            return;
        }
        try {
            open.success();
            open.flush();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private void write(int step, Map<String, Double> metrics) {
        EventFile open = events;
        if (open == null) {
            throw new IllegalStateException("expected onStart before the first number");
        }
        try {
            for (Map.Entry<String, Double> metric : metrics.entrySet()) {
                open.scalar(tag(metric.getKey()), metric.getValue(), step);
            }
            open.flush(); // whoever watches sees it now, and a kill does not lose it
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private static String tag(String name) {
        return name.startsWith(EVALUATION)
                ? "eval/" + name.substring(EVALUATION.length())
                : "train/" + name;
    }

    @Override
    public void close() {
        EventFile open = events;
        events = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                throw failed(e);
            }
        }
    }

    private UncheckedIOException failed(IOException e) {
        return new UncheckedIOException(
                new IOException(
                        directory + ": cannot write TensorBoard's events: " + e.getMessage(), e));
    }
}
