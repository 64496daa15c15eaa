package io.peft4j.mlflow;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.mlflow.tracking.creds.BasicMlflowHostCreds;

/** Which tracking server a training reports to, and as what. */
public final class MlflowConfig {

    private final String trackingUri;
    private final @Nullable String userName;
    private final @Nullable String password;
    private final @Nullable String token;
    private final @Nullable String experimentName;
    private final @Nullable String runName;
    private final @Nullable String runId;
    private final @Nullable Path directory;
    private final Map<String, String> tags;
    private final boolean logArtifacts;
    private final boolean strict;
    private final Duration interval;

    private MlflowConfig(Builder builder) {
        trackingUri = Objects.requireNonNull(builder.trackingUri, "expected setTrackingUri");
        userName = builder.userName;
        password = builder.password;
        token = builder.token;
        experimentName = builder.experimentName;
        runName = builder.runName;
        runId = builder.runId;
        directory = builder.directory;
        tags = Map.copyOf(builder.tags);
        logArtifacts = builder.logArtifacts;
        strict = builder.strict;
        interval = builder.interval;
    }

    /**
     * Starts with the variables that MLflow and transformers read: {@code MLFLOW_TRACKING_URI},
     * {@code MLFLOW_TRACKING_USERNAME} and {@code MLFLOW_TRACKING_PASSWORD}, or {@code
     * MLFLOW_TRACKING_TOKEN}; {@code MLFLOW_EXPERIMENT_NAME}, {@code MLFLOW_RUN_NAME}, {@code
     * MLFLOW_RUN_ID}, {@code MLFLOW_TAGS} (a JSON object) and {@code HF_MLFLOW_LOG_ARTIFACTS}; and
     * {@code PEFT4J_MLFLOW_STRICT}.
     *
     * @param environment the variables
     * @return the builder
     * @throws IllegalArgumentException if a variable is missing or malformed
     */
    public static Builder fromEnvironment(Map<String, String> environment) {
        String uri = text(environment, "MLFLOW_TRACKING_URI");
        if (uri == null) {
            throw new IllegalArgumentException(
                    "expected MLFLOW_TRACKING_URI to be the address of a tracking server, such as"
                            + " http://localhost:5000, but it is not set");
        }
        Builder builder = builder().setTrackingUri(uri);
        builder.userName = text(environment, "MLFLOW_TRACKING_USERNAME");
        builder.password = text(environment, "MLFLOW_TRACKING_PASSWORD");
        builder.token = text(environment, "MLFLOW_TRACKING_TOKEN");
        builder.experimentName = text(environment, "MLFLOW_EXPERIMENT_NAME");
        builder.runName = text(environment, "MLFLOW_RUN_NAME");
        builder.runId = text(environment, "MLFLOW_RUN_ID");
        String tags = text(environment, "MLFLOW_TAGS");
        if (tags != null) {
            parseTags(tags).forEach(builder::optTag);
        }
        return builder.optLogArtifacts(flag(environment, "HF_MLFLOW_LOG_ARTIFACTS"))
                .optStrict(flag(environment, "PEFT4J_MLFLOW_STRICT"));
    }

    private static @Nullable String text(Map<String, String> environment, String name) {
        String value = environment.get(name);
        return value == null || value.isBlank() ? null : value.strip();
    }

    private static boolean flag(Map<String, String> environment, String name) {
        String value = text(environment, name);
        return value != null && (value.equals("1") || value.equalsIgnoreCase("true"));
    }

    private static Map<String, String> parseTags(String json) {
        try {
            JsonObject object = JsonParser.parseString(json).getAsJsonObject();
            Map<String, String> tags = new LinkedHashMap<>();
            for (Map.Entry<String, JsonElement> tag : object.entrySet()) {
                JsonElement value = tag.getValue();
                tags.put(
                        tag.getKey(),
                        value.isJsonPrimitive() ? value.getAsString() : value.toString());
            }
            return tags;
        } catch (JsonParseException | IllegalStateException e) {
            throw new IllegalArgumentException(
                    "expected MLFLOW_TAGS to be a JSON object such as {\"team\": \"search\"}, but"
                            + " it is "
                            + json,
                    e);
        }
    }

    String trackingUri() {
        return trackingUri;
    }

    /** As MLflow's client takes them. */
    BasicMlflowHostCreds credentials() {
        return new BasicMlflowHostCreds(trackingUri, userName, password, token, false);
    }

    Optional<String> experimentName() {
        return Optional.ofNullable(experimentName);
    }

    Optional<String> runName() {
        return Optional.ofNullable(runName);
    }

    Optional<String> runId() {
        return Optional.ofNullable(runId);
    }

    Optional<Path> directory() {
        return Optional.ofNullable(directory);
    }

    Map<String, String> tags() {
        return tags;
    }

    boolean logArtifacts() {
        return logArtifacts;
    }

    boolean strict() {
        return strict;
    }

    Duration interval() {
        return interval;
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds an {@link MlflowConfig}. */
    public static final class Builder {

        private @Nullable String trackingUri;
        private @Nullable String userName;
        private @Nullable String password;
        private @Nullable String token;
        private @Nullable String experimentName;
        private @Nullable String runName;
        private @Nullable String runId;
        private @Nullable Path directory;
        private final Map<String, String> tags = new LinkedHashMap<>();
        private boolean logArtifacts;
        private boolean strict;
        private Duration interval = Duration.ofSeconds(5);

        private Builder() {}

        /**
         * Sets the tracking server.
         *
         * @param uri its address, such as {@code http://localhost:5000}
         * @return this builder
         * @throws IllegalArgumentException if it is none, such as a path, which only MLflow in
         *     Python can write to, or has a password in it, which messages would show
         */
        public Builder setTrackingUri(String uri) {
            if (!isHttp(uri)) {
                throw new IllegalArgumentException(
                        "expected the address of a tracking server, such as http://localhost:5000"
                                + " (mlflow server starts one), without a user's name in it, but"
                                + " the tracking URI is "
                                + uri.replaceFirst("//[^/@]*@", "//***@"));
            }
            trackingUri = uri.endsWith("/") ? uri.substring(0, uri.length() - 1) : uri;
            return this;
        }

        /**
         * Sets who reports (default: nobody in particular).
         *
         * @param name a user's name on the server
         * @param secret the password
         * @return this builder
         */
        public Builder optCredentials(String name, String secret) {
            userName = name;
            password = secret;
            return this;
        }

        /**
         * Sets a token in the place of a name and a password.
         *
         * @param bearer the token
         * @return this builder
         */
        public Builder optToken(String bearer) {
            token = bearer;
            return this;
        }

        private static boolean isHttp(String uri) {
            try {
                URI parsed = URI.create(uri);
                return parsed.getHost() != null
                        && parsed.getUserInfo() == null
                        && ("http".equals(parsed.getScheme())
                                || "https".equals(parsed.getScheme()));
            } catch (IllegalArgumentException e) {
                return false;
            }
        }

        /**
         * Sets the experiment, which is made where there is none (default: MLflow's default one).
         *
         * @param name its name
         * @return this builder
         */
        public Builder optExperimentName(String name) {
            experimentName = name;
            return this;
        }

        /**
         * Sets the name of the run (default: MLflow makes one up).
         *
         * @param name its name
         * @return this builder
         */
        public Builder optRunName(String name) {
            runName = name;
            return this;
        }

        /**
         * Goes on with a run of MLflow's instead of a new one.
         *
         * @param id its id
         * @return this builder
         */
        public Builder optRunId(String id) {
            runId = id;
            return this;
        }

        /**
         * Sets where the run's id is kept, in a file {@code mlflow_run_id}, so that a resumed
         * training goes on with it (default: nowhere).
         *
         * @param output a directory that exists when training starts
         * @return this builder
         */
        public Builder optDirectory(Path output) {
            directory = output;
            return this;
        }

        /**
         * Adds a tag to the run.
         *
         * @param key its name
         * @param value its text
         * @return this builder
         */
        public Builder optTag(String key, String value) {
            tags.put(key, value);
            return this;
        }

        /**
         * Uploads the files of the result when training is done (default: no).
         *
         * @param log whether to
         * @return this builder
         */
        public Builder optLogArtifacts(boolean log) {
            logArtifacts = log;
            return this;
        }

        /**
         * Ends the training when the server cannot be reached (default: warn once and go on).
         *
         * @param fail whether to
         * @return this builder
         */
        public Builder optStrict(boolean fail) {
            strict = fail;
            return this;
        }

        /**
         * Sets how often numbers are sent (default: every 5 seconds).
         *
         * @param time the time between two batches
         * @return this builder
         */
        public Builder optInterval(Duration time) {
            interval = time;
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         */
        public MlflowConfig build() {
            return new MlflowConfig(this);
        }
    }
}
