package io.peft4j.adapters;

import com.google.gson.JsonElement;
import io.peft4j.files.AtomicFiles;
import io.peft4j.files.Sha256;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/**
 * The {@code README.md} of a saved adapter: front matter as PEFT writes it and the Hugging Face hub
 * reads it, and below it what {@code adapter_config.json} and {@code adapter_provenance.json} tell,
 * for people. {@link AdaptedModel#save} writes it.
 *
 * <p>A card is its user's from the first edit on. Its last line holds the SHA-256 of all before; a
 * file whose hash is another, or that has no such line, is never replaced.
 */
public final class ModelCard {

    static final String FILE = "README.md";

    private static final String MARK = "<!-- Written by peft4j, and replaced by it until edited: ";
    private static final long LARGEST = 1 << 20;

    /** What the card says elsewhere, or what no reader of it needs. */
    private static final Set<String> LEFT_OUT =
            Set.of(
                    "auto_mapping",
                    "base_model_name_or_path",
                    "inference_mode",
                    "megatron_core",
                    "peft_type",
                    "peft_version",
                    "qalora_group_size",
                    "revision",
                    "task_type");

    /** What the provenance tells of a training's result; the rest of it are settings. */
    private static final List<Fact> FIGURES =
            List.of(
                    new Fact("kind", "kind"),
                    new Fact("steps", "optimizer steps"),
                    new Fact("epochs", "epochs"),
                    new Fact("loss", "training loss of the last step"),
                    new Fact("held_out_loss", "held-out loss"),
                    new Fact("held_out_reward", "held-out reward"),
                    new Fact("seconds", "seconds in optimizer steps"));

    private static final List<Fact> DATA =
            List.of(
                    new Fact("data_file", "file"),
                    new Fact("data_file_sha256", "SHA-256 of the file"),
                    new Fact("data_rows", "rows"),
                    new Fact("data_sha256", "SHA-256 of the tokens and labels"),
                    new Fact("held_out_file", "held-out file"),
                    new Fact("held_out_file_sha256", "SHA-256 of the held-out file"),
                    new Fact("held_out_sha256", "SHA-256 of the held-out tokens and labels"));

    /** A key of the provenance below {@code training.}, and what to call it. */
    private record Fact(String key, String label) {}

    private final PeftConfig config;
    private final Provenance provenance;

    private ModelCard(PeftConfig config, Provenance provenance) {
        this.config = config;
        this.provenance = provenance;
    }

    /**
     * Makes the card of an adapter in memory.
     *
     * @param adapter the adapter
     * @return its card
     */
    public static ModelCard of(Adapter adapter) {
        return new ModelCard(adapter.config().toPeft(), adapter.provenance());
    }

    /**
     * Makes the card of a saved adapter. A provenance that was written with other files tells
     * nothing of these, and is left out.
     *
     * @param directory a directory in PEFT's format
     * @return its card
     * @throws IOException if the files cannot be read
     */
    public static ModelCard of(Path directory) throws IOException {
        Optional<Provenance> found = Provenance.read(directory);
        Provenance provenance =
                found.isPresent() && found.get().changedFiles(directory).isEmpty()
                        ? found.get()
                        : new Provenance(Map.of());
        return new ModelCard(PeftConfig.read(directory), provenance);
    }

    /**
     * Writes the card as {@code README.md}, unless there is one that this class has not written or
     * that was edited since.
     *
     * @param directory the adapter's directory
     * @return whether it was written; false where the user's own was kept
     * @throws IOException if it cannot be written; what was there is kept
     */
    public boolean write(Path directory) throws IOException {
        Path file = directory.resolve(FILE);
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !isReplaceable(file)) {
            return false;
        }
        AtomicFiles.writeString(file, text());
        return true;
    }

    private static boolean isReplaceable(Path file) throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) > LARGEST) {
            return false;
        }
        String text;
        try {
            text = Files.readString(file).replace("\r\n", "\n"); // as git writes it on Windows
        } catch (CharacterCodingException e) {
            return false;
        }
        int mark = text.lastIndexOf(MARK);
        return mark >= 0 && text.equals(sealed(text.substring(0, mark)));
    }

    private static String sealed(String text) {
        MessageDigest digest = Sha256.digest();
        digest.update(text.getBytes(StandardCharsets.UTF_8));
        return text + MARK + Sha256.hex(digest) + " -->\n";
    }

    /**
     * Returns the card.
     *
     * @return the whole file
     */
    public String text() {
        StringBuilder page = new StringBuilder();
        frontMatter(page);
        page.append("# Adapter").append(base().map(b -> " for " + b.code()).orElse(""));
        page.append("\n\nA ")
                .append(CardText.code(method()))
                .append(" adapter in the format of [PEFT](https://github.com/huggingface/peft)");
        page.append(base().map(b -> ". Its base model is " + b.link()).orElse(""));
        page.append(".\n\n");
        table(page, "Settings", settings(), CardText::cell);
        Map<String, String> training = training();
        table(page, "Training", take(training, FIGURES), label -> label);
        table(page, "Data", take(training, DATA), label -> label);
        table(page, "Training settings", training, CardText::cell);
        CardPrograms.append(page, programs(), base());
        table(page, "Provenance", origin(), CardText::cell);
        return sealed(page.toString());
    }

    private CardPrograms.Kind programs() {
        String task = config.string("task_type").orElse("");
        if (task.equals("CAUSAL_LM")) {
            return CardPrograms.Kind.LANGUAGE_MODEL;
        }
        boolean score = config.strings("modules_to_save").contains("score");
        return task.equals("SEQ_CLS") && score
                ? CardPrograms.Kind.REWARD_MODEL
                : CardPrograms.Kind.MODULE;
    }

    private Optional<CardBase> base() {
        return config.string("base_model_name_or_path")
                .filter(b -> !b.isBlank())
                .map(CardBase::new);
    }

    private String method() {
        return provenance
                .method()
                .orElseGet(
                        () ->
                                config.flag("use_dora")
                                        ? "dora"
                                        : config.string("peft_type")
                                                .orElse("unknown")
                                                .toLowerCase(Locale.ROOT));
    }

    private void frontMatter(StringBuilder page) {
        page.append("---\n");
        base().ifPresent(base -> base.appendYaml(page));
        page.append("library_name: peft\n");
        provenance.get("license").ifPresent(id -> yaml(page, "license: ", id));
        if (config.string("task_type").filter("CAUSAL_LM"::equals).isPresent()) {
            page.append("pipeline_tag: text-generation\n");
        } else if (programs() == CardPrograms.Kind.REWARD_MODEL) {
            page.append("pipeline_tag: text-classification\n");
        }
        TreeSet<String> tags = new TreeSet<>(List.of("peft4j", method()));
        if (config.string("peft_type").filter("LORA"::equals).isPresent()) {
            tags.add("lora");
        }
        base().ifPresent(base -> tags.add("base_model:adapter:" + base.repository()));
        provenance.get(Provenance.TRAINING + "kind").ifPresent(tags::add);
        page.append("tags:\n");
        tags.forEach(tag -> yaml(page, "- ", tag));
        page.append("---\n\n");
    }

    private static void yaml(StringBuilder page, String before, String text) {
        page.append(before).append(CardText.yaml(text)).append('\n');
    }

    /** What the adapter's config sets, whatever its method. */
    private Map<String, String> settings() {
        Map<String, String> settings = new TreeMap<>();
        config.json()
                .asMap()
                .forEach(
                        (key, value) -> {
                            if (config.isSet(key) && !LEFT_OUT.contains(key)) {
                                settings.put(key, plain(value));
                            }
                        });
        return settings;
    }

    private static String plain(JsonElement value) {
        if (value.isJsonArray()) {
            List<String> texts = new ArrayList<>();
            value.getAsJsonArray().forEach(element -> texts.add(plain(element)));
            return String.join(", ", texts);
        }
        return value.isJsonPrimitive() ? value.getAsString() : value.toString();
    }

    /** What the provenance tells of the training, by the key without its prefix. */
    private Map<String, String> training() {
        Map<String, String> training = new TreeMap<>();
        provenance
                .entries()
                .forEach(
                        (key, value) -> {
                            if (key.startsWith(Provenance.TRAINING)) {
                                training.put(key.substring(Provenance.TRAINING.length()), value);
                            }
                        });
        return training;
    }

    /** Takes facts out of the rest, in their order and under their labels. */
    private static Map<String, String> take(Map<String, String> rest, List<Fact> facts) {
        Map<String, String> taken = new LinkedHashMap<>();
        for (Fact fact : facts) {
            String value = rest.remove(fact.key());
            if (value != null) {
                taken.put(fact.label(), value);
            }
        }
        return taken;
    }

    private Map<String, String> origin() {
        Map<String, String> origin = new TreeMap<>(provenance.entries());
        origin.keySet()
                .removeIf(
                        key ->
                                key.startsWith(Provenance.TRAINING)
                                        || key.equals(ProvenanceFile.CONFIG_SHA256)
                                        || key.equals(ProvenanceFile.TENSORS_SHA256));
        return origin;
    }

    private static void table(
            StringBuilder page,
            String title,
            Map<String, String> rows,
            UnaryOperator<String> heading) {
        if (rows.isEmpty()) {
            return;
        }
        page.append("## ").append(title).append("\n\n| | |\n|---|---|\n");
        rows.forEach(
                (key, value) ->
                        page.append("| ")
                                .append(heading.apply(key))
                                .append(" | ")
                                .append(CardText.cell(value))
                                .append(" |\n"));
        page.append('\n');
    }
}
