package io.peft4j.models;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A tokenizer in Hugging Face's format: {@code tokenizer.json}, and beside it, if they are there,
 * {@code tokenizer_config.json}, {@code special_tokens_map.json} and {@code chat_template.jinja},
 * read as transformers reads them. Nothing is truncated or padded.
 *
 * <p>A tokenizer may be used by several threads at once.
 */
public final class Tokenizer implements AutoCloseable {

    private static final String FILE = "tokenizer.json";
    private static final Map<String, String> WHOLE =
            Map.of("truncation", "false", "padding", "false");

    private final Path path;
    private final HuggingFaceTokenizer tokenizer;
    private final TokenizerConfig config;
    private final int size;
    private volatile @Nullable ChatTemplate chatTemplate;

    private Tokenizer(Path path, HuggingFaceTokenizer tokenizer, TokenizerConfig config, int size) {
        this.path = path;
        this.tokenizer = tokenizer;
        this.config = config;
        this.size = size;
    }

    /**
     * Loads the tokenizer of a model, if it ships one.
     *
     * @param location a directory, or a {@code tokenizer.json}
     * @return the tokenizer, to be closed; empty if there is no such file, or none in the directory
     * @throws TokenizerException if the files are damaged
     * @throws IOException if they cannot be read
     */
    public static Optional<Tokenizer> find(Path location) throws IOException {
        Path file = Files.isDirectory(location) ? location.resolve(FILE) : location;
        return Files.exists(file) ? Optional.of(open(file)) : Optional.empty();
    }

    /**
     * Loads a tokenizer.
     *
     * @param location a directory, or a {@code tokenizer.json}
     * @return the tokenizer; close it
     * @throws TokenizerException if the files are damaged
     * @throws IOException if the file is missing or cannot be read
     */
    public static Tokenizer load(Path location) throws IOException {
        Optional<Tokenizer> found = find(location);
        if (found.isEmpty()) {
            boolean sentencePiece = Files.exists(location.resolve("tokenizer.model"));
            throw new NoSuchFileException(
                    location.toString(),
                    null,
                    "expected a tokenizer.json"
                            + (sentencePiece
                                    ? ", found a tokenizer.model only; convert it where"
                                            + " transformers is: AutoTokenizer.from_pretrained(DIR)"
                                            + ".save_pretrained(DIR)"
                                    : ", found none"));
        }
        return found.get();
    }

    private static Tokenizer open(Path file) throws IOException {
        TokenizerConfig config = TokenizerConfig.beside(file);
        TokenizerVocabulary vocabulary = TokenizerVocabulary.read(file);
        Optional<String> changed = TokenizerJson.with(file, vocabulary, config);
        if (changed.isPresent()) {
            vocabulary = TokenizerVocabulary.read(file.toString(), new StringReader(changed.get()));
        }
        try {
            HuggingFaceTokenizer tokenizer =
                    changed.isPresent()
                            ? HuggingFaceTokenizer.newInstance(
                                    new ByteArrayInputStream(
                                            changed.get().getBytes(StandardCharsets.UTF_8)),
                                    WHOLE)
                            : HuggingFaceTokenizer.newInstance(file, WHOLE);
            return new Tokenizer(file, tokenizer, config, vocabulary.size());
        } catch (RuntimeException | IOException e) {
            throw new TokenizerException(file + ": not a tokenizer: " + e.getMessage(), e);
        }
    }

    /**
     * Turns a text into ids. Special tokens that stand in the text are recognised.
     *
     * @param text the text
     * @param addSpecialTokens whether the tokenizer puts its own around it, such as a BOS: what it
     *     adds is up to its post-processor
     * @return the ids
     */
    public long[] encode(String text, boolean addSpecialTokens) {
        return tokenizer.encode(text, addSpecialTokens, false).getIds();
    }

    /**
     * Turns ids into a text.
     *
     * @param ids the ids
     * @param skipSpecialTokens whether special tokens are left out
     * @return the text
     */
    public String decode(long[] ids, boolean skipSpecialTokens) {
        return tokenizer.decode(ids, skipSpecialTokens);
    }

    /**
     * Returns the token that begins a text.
     *
     * @return the id of {@code bos_token}, if the config names one that the tokenizer knows
     */
    public OptionalLong bosId() {
        return idOf("bos_token");
    }

    /**
     * Returns the token that ends a text.
     *
     * @return the id of {@code eos_token}, if the config names one that the tokenizer knows
     */
    public OptionalLong eosId() {
        return idOf("eos_token");
    }

    /**
     * Returns the token that fills rows of a batch.
     *
     * @return the id of {@code pad_token}, if the config names one
     */
    public OptionalLong padId() {
        return idOf("pad_token");
    }

    private OptionalLong idOf(String name) {
        String token = config.specialTokens().get(name);
        long[] ids = token == null ? new long[0] : encode(token, false);
        return ids.length == 1 ? OptionalLong.of(ids[0]) : OptionalLong.empty();
    }

    /**
     * Returns the number of tokens.
     *
     * @return the largest id and one, added tokens included
     */
    public int size() {
        return size;
    }

    /**
     * Tells whether conversations can be written.
     *
     * @return whether there is a chat template
     */
    public boolean hasChatTemplate() {
        return config.chatTemplate() != null;
    }

    /**
     * Writes a conversation as the model was trained to read it. The text holds its special tokens
     * already: encode it without adding any.
     *
     * @param messages the turns
     * @param addGenerationPrompt whether the text ends with the beginning of the assistant's answer
     * @return the text
     * @throws ChatTemplateException if there is no template, or it refuses or cannot render the
     *     conversation
     */
    public String applyChatTemplate(List<Message> messages, boolean addGenerationPrompt) {
        return applyChatTemplate(
                messages, addGenerationPrompt ? ChatOptions.prompt() : ChatOptions.whole());
    }

    /**
     * Writes a conversation as the model was trained to read it. The text holds its special tokens
     * already: encode it without adding any.
     *
     * @param messages the turns
     * @param options how the text ends, and what else the template can read
     * @return the text
     * @throws ChatTemplateException if there is no template, or it refuses or cannot render the
     *     conversation; the message names the template's line
     */
    public String applyChatTemplate(List<Message> messages, ChatOptions options) {
        return template().render(messages, options);
    }

    /**
     * Writes a finished conversation and tells what the assistant said in it. A template with
     * {@code {% generation %}} blocks tells so itself; for another the text up to each answer is
     * compared with the whole.
     *
     * @param messages the turns
     * @return the tokens of the text, each with whether it is the assistant's
     * @throws ChatTemplateException as {@link #applyChatTemplate(List, ChatOptions)}, and if the
     *     answers cannot be told from the rest
     */
    public ChatTokens encodeChat(List<Message> messages) {
        ChatTemplate template = template();
        AssistantText text = AssistantText.of(template, messages);
        Encoding encoding = tokenizer.encode(text.text(), false, false);
        return new ChatTokens(encoding.getIds(), text.mask(encoding.getCharTokenSpans()));
    }

    private ChatTemplate template() {
        ChatTemplate known = chatTemplate;
        if (known != null) {
            return known;
        }
        String template = config.chatTemplate();
        if (template == null) {
            throw new ChatTemplateException(
                    path
                            + ": expected a chat_template in tokenizer_config.json beside it, found "
                            + (config.chatTemplates().isEmpty()
                                    ? "none"
                                    : "only those named "
                                            + config.chatTemplates().keySet()
                                            + ", none of them \"default\""));
        }
        known = new ChatTemplate(path.toString(), template, config.specialTokens());
        chatTemplate = known;
        return known;
    }

    /** Frees the native tokenizer; a second call does nothing. */
    @Override
    public void close() {
        tokenizer.close();
    }
}
