package io.peft4j.mlflow;

import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LogHistory;
import io.peft4j.tuning.TrainingReport;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.mlflow.api.proto.Service.RunStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reports a training to an MLflow tracking server: settings as parameters, numbers by step under
 * transformers' names, provenance as tags, and, if asked, the result's files as artifacts.
 *
 * <p>A thread of its own talks to the server, so that training never waits for it. Where the server
 * cannot be reached, that is said once, training goes on, and what was kept is sent when it can be
 * again; a strict report ends the training instead. A resumed training goes on with the same run.
 */
public final class MlflowReport implements TrainingReport {

    private static final Logger LOG = LoggerFactory.getLogger(MlflowReport.class);
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration PATIENCE_WITH_ARTIFACTS = Duration.ofMinutes(30);

    private final MlflowConfig config;
    private final Consumer<String> warnings;
    private final MlflowRun run;
    private final Backlog backlog = new Backlog();
    private final ScheduledExecutorService sender =
            Executors.newSingleThreadScheduledExecutor(
                    task -> {
                        Thread thread = new Thread(task, "mlflow-report");
                        thread.setDaemon(true); // a server that hangs must not keep the process
                        return thread;
                    });

    private Map<String, String> settings = Map.of();
    private boolean started;
    private boolean finished;
    private volatile boolean away;

    /** Why the server could not be reached, for a strict report. */
    private volatile @Nullable Exception failure;

    /**
     * Reports as a config says; what is odd is logged.
     *
     * @param config the server and the run
     */
    public MlflowReport(MlflowConfig config) {
        this(config, LOG::warn);
    }

    /**
     * Reports as a config says.
     *
     * @param config the server and the run
     * @param warnings takes, in one line, what is odd but does not end the training; called by
     *     another thread
     */
    public MlflowReport(MlflowConfig config, Consumer<String> warnings) {
        this.config = config;
        this.warnings = warnings;
        run = new MlflowRun(config);
    }

    @Override
    public void onSettings(Map<String, String> settings) {
        this.settings = new TreeMap<>(settings);
    }

    @Override
    public void onStart(int doneSteps, int totalSteps) {
        started = true;
        run.prepare(settings, doneSteps > 0);
        if (config.strict()) {
            await(sender.submit(this::send), PATIENCE);
            requireNoFailure();
        }
        long millis = config.interval().toMillis();
        Future<?> unused =
                sender.scheduleWithFixedDelay(
                        this::send, config.strict() ? millis : 0, millis, TimeUnit.MILLISECONDS);
    }

    @Override
    public void onStep(TrainingStep step) {
        add(step.step(), LogHistory.of(step));
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        add(step, LogHistory.of(result));
    }

    private void add(int step, Map<String, Double> metrics) {
        requireNoFailure();
        backlog.add(step, metrics);
    }

    @Override
    public void onFinish(TrainingResult result, Path output) {
        finished = true;
        await(
                sender.submit(() -> end(RunStatus.FINISHED, output)),
                config.logArtifacts() ? PATIENCE_WITH_ARTIFACTS : PATIENCE);
        requireNoFailure();
    }

    @Override
    public void close() {
        if (started && !finished) {
            // an interrupt is how a user ends a training
            RunStatus status =
                    Thread.currentThread().isInterrupted() ? RunStatus.KILLED : RunStatus.FAILED;
            await(sender.submit(() -> end(status, null)), PATIENCE);
        }
        started = false;
        sender.shutdownNow();
        run.close();
    }

    /** Sends what there is; the rest waits for the next time. */
    private void send() {
        try {
            run.begin();
            backlog.drain(run::log);
            if (away) {
                away = false;
                warnings.accept("MLflow at " + config.trackingUri() + " is there again");
            }
        } catch (IOException | RuntimeException e) {
            missed(e);
        }
    }

    private void end(RunStatus status, @Nullable Path output) {
        send();
        if (!away) {
            try {
                if (output != null) {
                    run.describe(output);
                }
                run.end(status);
            } catch (IOException | RuntimeException e) {
                missed(e);
            }
        }
        if (!away && output != null && config.logArtifacts()) {
            upload(output);
        }
        if (backlog.lost() > 0) {
            warnings.accept(
                    "MLflow lacks "
                            + backlog.lost()
                            + " numbers of this training; metrics.jsonl has all of them");
        }
    }

    private void upload(Path output) {
        try {
            run.upload(output);
        } catch (IOException | RuntimeException e) {
            failure = e;
            warnings.accept("MLflow has no files of this run: " + MlflowRun.reason(e));
        }
    }

    private void missed(Exception e) {
        failure = e;
        if (!away && !config.strict()) {
            warnings.accept(
                    "cannot report to MLflow at "
                            + config.trackingUri()
                            + ", and training goes on without: "
                            + MlflowRun.reason(e));
        }
        away = true;
    }

    private void requireNoFailure() {
        Exception found = failure;
        if (config.strict() && found != null) {
            throw new UncheckedIOException(
                    new IOException(
                            "cannot report to MLflow at "
                                    + config.trackingUri()
                                    + ": "
                                    + MlflowRun.reason(found),
                            found));
        }
    }

    /** Waits, also in a thread that is interrupted: the report of that is still to be sent. */
    private void await(Future<?> task, Duration patience) {
        boolean interrupted = Thread.interrupted();
        try {
            task.get(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            interrupted = true;
        } catch (TimeoutException e) {
            missed(new IOException("no answer within " + patience.toSeconds() + " seconds"));
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
