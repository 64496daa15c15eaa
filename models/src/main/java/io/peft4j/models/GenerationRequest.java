package io.peft4j.models;

import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What an application asks of a model: a prompt or a conversation, how to go on, which adapters.
 */
public final class GenerationRequest {

    private final @Nullable String prompt;
    private final List<Message> messages;
    private final GenerationConfig config;
    private final @Nullable List<String> adapters;

    private GenerationRequest(Builder builder) {
        prompt = builder.prompt;
        messages = builder.messages;
        config = builder.config;
        adapters = builder.adapters;
    }

    /**
     * Returns the text to continue.
     *
     * @return the prompt, unless there are messages
     */
    public Optional<String> prompt() {
        return Optional.ofNullable(prompt);
    }

    /**
     * Returns the conversation to answer.
     *
     * @return the turns; none if there is a prompt
     */
    public List<Message> messages() {
        return messages;
    }

    /**
     * Returns how the tokens are chosen.
     *
     * @return the config
     */
    public GenerationConfig config() {
        return config;
    }

    /**
     * Returns which adapters are used.
     *
     * @return their names, none for the bare model; empty for those that are in effect anyway
     */
    public Optional<List<String>> adapters() {
        return Optional.ofNullable(adapters);
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link GenerationRequest}. */
    public static final class Builder {

        private @Nullable String prompt;
        private List<Message> messages = List.of();
        private GenerationConfig config = GenerationConfig.builder().build();
        private @Nullable List<String> adapters;

        private Builder() {}

        /**
         * Sets the text to continue; a prompt or messages must be set.
         *
         * @param text the prompt
         * @return this builder
         */
        public Builder setPrompt(String text) {
            prompt = text;
            return this;
        }

        /**
         * Sets the conversation to answer; a prompt or messages must be set.
         *
         * @param turns the messages
         * @return this builder
         */
        public Builder setMessages(List<Message> turns) {
            messages = List.copyOf(turns);
            return this;
        }

        /**
         * Sets how the tokens are chosen; up to 128 of the likeliest unless set.
         *
         * @param settings the config; without eos ids, the model's own are used
         * @return this builder
         */
        public Builder optConfig(GenerationConfig settings) {
            config = settings;
            return this;
        }

        /**
         * Sets the adapters for this request; those that are in effect unless set.
         *
         * @param names their names; none for the bare model
         * @return this builder
         */
        public Builder optAdapters(String... names) {
            adapters = List.of(names);
            return this;
        }

        /**
         * Builds the request.
         *
         * @return the request
         * @throws IllegalArgumentException if there is neither a prompt nor a message, or both
         */
        public GenerationRequest build() {
            if ((prompt == null) == messages.isEmpty()) {
                throw new IllegalArgumentException(
                        "expected a prompt or messages, found "
                                + (prompt == null ? "neither" : "both"));
            }
            return new GenerationRequest(this);
        }
    }
}
