package io.peft4j.mlflow;

import io.peft4j.adapters.Provenance;
import io.peft4j.files.AtomicFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.mlflow.api.proto.Service.CreateRun;
import org.mlflow.api.proto.Service.Metric;
import org.mlflow.api.proto.Service.Param;
import org.mlflow.api.proto.Service.RunInfo;
import org.mlflow.api.proto.Service.RunStatus;
import org.mlflow.api.proto.Service.RunTag;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.MlflowHttpException;

/** One run on a tracking server. Calls come from one thread and wait for the server. */
final class MlflowRun {

    /** Where a training's directory tells which run it was. */
    static final String ID_FILE = "mlflow_run_id";

    private static final String DEFAULT_EXPERIMENT = "0";
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9_-]{1,64}");

    // what servers of all releases take
    private static final int PER_BATCH = 100;
    private static final int LONGEST_PARAM = 500;
    private static final int LONGEST_TAG = 5000;

    private final MlflowConfig config;
    private final MlflowClient client;
    private Map<String, String> settings = Map.of();
    private boolean resumes;
    private @Nullable RunInfo run;

    MlflowRun(MlflowConfig config) {
        this.config = config;
        client = new MlflowClient(config.credentials());
    }

    void prepare(Map<String, String> parameters, boolean goesOn) {
        settings = parameters;
        resumes = goesOn;
    }

    /** Finds or makes the run, unless that was done. */
    void begin() throws IOException {
        if (run != null) {
            return;
        }
        Optional<String> known = config.runId().isPresent() ? config.runId() : remembered();
        RunInfo found = known.isPresent() ? reopen(known.get()) : null;
        if (found == null) {
            found = create();
            log(found.getRunId(), Map.of(), settings);
            remember(found.getRunId());
        }
        run = found;
    }

    private Optional<String> remembered() throws IOException {
        if (!resumes || config.directory().isEmpty()) {
            return Optional.empty();
        }
        Path file = config.directory().get().resolve(ID_FILE);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        return Optional.of(Files.readString(file).strip()).filter(id -> ID.matcher(id).matches());
    }

    private void remember(String id) throws IOException {
        if (config.directory().isPresent()) {
            AtomicFiles.writeString(config.directory().get().resolve(ID_FILE), id + "\n");
        }
    }

    /** Goes on with a run; one that was remembered and is gone gets a successor. */
    private @Nullable RunInfo reopen(String id) {
        try {
            RunInfo info = client.getRun(id).getInfo();
            client.setTerminated(id, RunStatus.RUNNING);
            return info;
        } catch (MlflowHttpException e) {
            if (e.getStatusCode() == 404 && config.runId().isEmpty()) {
                return null;
            }
            throw e;
        }
    }

    private RunInfo create() {
        CreateRun.Builder request =
                CreateRun.newBuilder()
                        .setExperimentId(experiment())
                        .setStartTime(System.currentTimeMillis());
        config.runName().ifPresent(request::setRunName);
        Map<String, String> tags = new LinkedHashMap<>();
        tags.put("mlflow.source.name", "peft4j");
        tags.put("mlflow.source.type", "LOCAL");
        tags.put("mlflow.user", System.getProperty("user.name"));
        config.runName().ifPresent(name -> tags.put("mlflow.runName", name));
        tags.putAll(config.tags());
        tags.forEach((key, value) -> request.addTags(tag(key, value)));
        return client.createRun(request.build());
    }

    private String experiment() {
        if (config.experimentName().isEmpty()) {
            return DEFAULT_EXPERIMENT;
        }
        String name = config.experimentName().get();
        return client.getExperimentByName(name)
                .map(experiment -> experiment.getExperimentId())
                .orElseGet(() -> client.createExperiment(name));
    }

    /** Sends numbers; tells whether the server took them, or ever will. */
    boolean log(List<Metric> metrics) {
        try {
            client.logBatch(id(), metrics, List.of(), List.of());
            return true;
        } catch (MlflowHttpException e) {
            if (e.getStatusCode() == 400) {
                return false;
            }
            throw e;
        }
    }

    /** Tells where the result comes from. */
    void describe(Path output) throws IOException {
        Map<String, String> tags = new LinkedHashMap<>();
        Provenance.read(output)
                .ifPresent(
                        provenance ->
                                provenance
                                        .entries()
                                        .forEach(
                                                (key, value) -> {
                                                    if (!settings.containsKey(unprefixed(key))) {
                                                        tags.put("provenance." + key, value);
                                                    }
                                                }));
        log(id(), tags, Map.of());
    }

    /** Uploads the result. */
    void upload(Path output) throws IOException {
        new Artifacts(client, config.credentials()).upload(id(), info().getArtifactUri(), output);
    }

    private static String unprefixed(String key) {
        return key.startsWith("training.") ? key.substring("training.".length()) : key;
    }

    private void log(String id, Map<String, String> tags, Map<String, String> params) {
        List<RunTag> allTags = new ArrayList<>();
        tags.forEach((key, value) -> allTags.add(tag(key, value)));
        List<Param> allParams = new ArrayList<>();
        params.forEach(
                (key, value) ->
                        allParams.add(
                                Param.newBuilder()
                                        .setKey(key)
                                        .setValue(cut(value, LONGEST_PARAM))
                                        .build()));
        for (int i = 0; i < allTags.size(); i += PER_BATCH) {
            client.logBatch(id, List.of(), List.of(), allTags.subList(i, end(i, allTags.size())));
        }
        for (int i = 0; i < allParams.size(); i += PER_BATCH) {
            client.logBatch(
                    id, List.of(), allParams.subList(i, end(i, allParams.size())), List.of());
        }
    }

    private static int end(int begin, int size) {
        return Math.min(begin + PER_BATCH, size);
    }

    private static RunTag tag(String key, String value) {
        return RunTag.newBuilder().setKey(key).setValue(cut(value, LONGEST_TAG)).build();
    }

    private static String cut(String text, int longest) {
        return text.length() <= longest ? text : text.substring(0, longest - 1) + "…";
    }

    void end(RunStatus status) {
        client.setTerminated(id(), status);
    }

    private RunInfo info() {
        if (run == null) {
            throw new IllegalStateException("expected begin before the first call");
        }
        return run;
    }

    private String id() {
        return info().getRunId();
    }

    void close() {
        client.close();
    }

    /** The useful part of what a client threw. */
    static String reason(Exception e) {
        Throwable last = e;
        while (last.getCause() != null && !(last instanceof MlflowHttpException)) {
            last = last.getCause();
        }
        String message = String.valueOf(last.getMessage());
        return message.lines().findFirst().orElse(last.getClass().getSimpleName());
    }
}
