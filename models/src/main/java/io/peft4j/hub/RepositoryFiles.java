package io.peft4j.hub;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.files.SafePaths;
import io.peft4j.files.UnsafePathException;
import io.peft4j.hub.HubException.Reason;
import io.peft4j.text.StrictJson;
import io.peft4j.text.StrictJsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Which files of a repository are fetched. Only names of this list are ever written, all of them at
 * the repository's root: no code, no pickles, no duplicate of the weights in another layout.
 */
final class RepositoryFiles {

    static final String CONFIG = "config.json";
    static final String WEIGHTS = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";
    static final String ADAPTER_CONFIG = "adapter_config.json";
    static final String ADAPTER_WEIGHTS = "adapter_model.safetensors";

    private static final List<String> COMPANIONS =
            List.of(
                    "generation_config.json",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "tokenizer.model",
                    "special_tokens_map.json",
                    "added_tokens.json",
                    "vocab.json",
                    "merges.txt",
                    "chat_template.jinja",
                    "chat_template.json");

    private static final Pattern SHARD =
            Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*\\.safetensors");
    private static final Pattern PICKLE =
            Pattern.compile("(?:pytorch_model|model|adapter_model)[^/]*\\.(?:bin|pth?|ckpt)");
    private static final int MOST_INDEX_BYTES = 64_000_000;

    private RepositoryFiles() {}

    /**
     * Chooses what to fetch, but for the shards, which the index names.
     *
     * @param repository the repository, for messages
     * @param snapshot the directory where the files will be
     * @param listed all files of the repository
     * @param content what it is wanted for
     * @return the names, small files first
     * @throws UnsafePathException if the list names a file outside the repository
     * @throws HubException if the repository does not hold what is wanted
     */
    static List<String> choose(
            HubRepository repository, Path snapshot, Collection<String> listed, HubContent content)
            throws IOException {
        for (String name : listed) {
            if (name.startsWith("/") || List.of(name.split("[/\\\\]", -1)).contains("..")) {
                SafePaths.resolve(snapshot, name); // which refuses it
            }
        }
        Set<String> names = Set.copyOf(listed);
        boolean adapter =
                content == HubContent.ADAPTER
                        || (content == HubContent.EITHER && names.contains(ADAPTER_CONFIG));
        String config = adapter ? ADAPTER_CONFIG : CONFIG;
        if (!names.contains(config)) {
            throw new HubException(
                    Reason.NO_MODEL,
                    repository
                            + ": expected "
                            + (adapter ? "an adapter with " : "a model with ")
                            + config
                            + (names.contains(ADAPTER_CONFIG)
                                    ? ", found an adapter; give it as --adapter"
                                    : ", found no such file"));
        }
        List<String> chosen = new ArrayList<>(List.of(config));
        if (!adapter) {
            COMPANIONS.stream().filter(names::contains).forEach(chosen::add);
        }
        if (content == HubContent.DESCRIPTION) {
            return chosen;
        }
        for (String weights : adapter ? List.of(ADAPTER_WEIGHTS) : List.of(WEIGHTS, INDEX)) {
            if (names.contains(weights)) {
                chosen.add(weights);
                return chosen;
            }
        }
        throw noWeights(repository, listed, adapter);
    }

    private static HubException noWeights(
            HubRepository repository, Collection<String> listed, boolean adapter) {
        String expected = adapter ? ADAPTER_WEIGHTS : WEIGHTS + " or " + INDEX;
        for (String name : listed) {
            if (PICKLE.matcher(name.toLowerCase(Locale.ROOT)).matches()) {
                return new HubException(
                        Reason.PICKLE,
                        repository
                                + ": expected "
                                + expected
                                + ", found only Python pickles such as "
                                + name
                                + ", which can run code and are never loaded. Convert them where"
                                + " you trust them, in Python: "
                                + (adapter
                                        ? "load it with peft.PeftModel.from_pretrained and call"
                                        : "transformers.AutoModelForCausalLM.from_pretrained(\""
                                                + repository.id()
                                                + "\")")
                                + ".save_pretrained(\"converted\"), and give that directory");
            }
        }
        return new HubException(
                Reason.NO_MODEL, repository + ": expected " + expected + ", found neither");
    }

    /** The shards that an index names. */
    static Set<String> shards(Path snapshot) throws IOException {
        Path index = snapshot.resolve(INDEX);
        JsonElement root;
        try {
            root = StrictJson.read(index, MOST_INDEX_BYTES, 8);
        } catch (StrictJsonException e) {
            throw new HubException(Reason.NO_MODEL, e.getMessage(), e);
        }
        if (!(root instanceof JsonObject object
                && object.get("weight_map") instanceof JsonObject map)) {
            throw new HubException(
                    Reason.NO_MODEL, index + ": expected an object \"weight_map\", found none");
        }
        Set<String> shards = new TreeSet<>();
        for (JsonElement value : map.asMap().values()) {
            String name = value instanceof JsonPrimitive text ? text.getAsString() : "";
            if (!SHARD.matcher(name).matches()) {
                SafePaths.resolve(snapshot, name); // tells most of them apart
                throw new HubException(
                        Reason.NO_MODEL,
                        index + ": expected names of safetensors files, found \"" + name + "\"");
            }
            shards.add(name);
        }
        return shards;
    }

    /** What a snapshot on disk lacks to be loaded. */
    static List<String> missing(Path snapshot, HubContent content) throws IOException {
        Predicate<String> isThere = name -> Files.isRegularFile(snapshot.resolve(name));
        List<String> needed = new ArrayList<>();
        if (content == HubContent.ADAPTER
                || (content == HubContent.EITHER && isThere.test(ADAPTER_CONFIG))) {
            needed.addAll(List.of(ADAPTER_CONFIG, ADAPTER_WEIGHTS));
        } else if (content == HubContent.DESCRIPTION) {
            needed.add(CONFIG);
        } else {
            needed.add(CONFIG);
            if (!isThere.test(WEIGHTS) && isThere.test(INDEX)) {
                needed.addAll(shards(snapshot));
            } else {
                needed.add(WEIGHTS);
            }
        }
        return needed.stream().filter(isThere.negate()).toList();
    }
}
