package io.peft4j.serving;

import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.adapters.SavedAdapter;
import io.peft4j.adapters.Site;
import io.peft4j.files.AtomicFiles;
import io.peft4j.gguf.GgufFile;
import io.peft4j.lora.PortableLora;
import io.peft4j.lora.PortableModule;
import io.peft4j.models.CausalLm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Writes an adapter for a server, as {@link PortableLora}, so that the server computes what this
 * library does.
 *
 * <pre>{@code
 * ExportReport report =
 *         AdapterExport.builder()
 *                 .setServer(Server.VLLM)
 *                 .build()
 *                 .write(model, adapted.adapter(), directory);
 * }</pre>
 *
 * <table>
 * <caption>What is written</caption>
 * <tr><td>vLLM, TGI</td><td>the directory in PEFT's format, which PEFT loads too</td></tr>
 * <tr><td>llama.cpp</td><td>{@code adapter.gguf}</td></tr>
 * <tr><td>DJL Serving</td><td>{@code adapters/NAME/} in PEFT's format, and {@code
 *     serving.properties} if there is none</td></tr>
 * </table>
 *
 * <p>What a server would refuse or pass over is refused here, with the reason. A merged model is
 * the way for all that no server's adapters have.
 */
public final class AdapterExport {

    private final Server server;
    private final OptionalInt rank;
    private final @Nullable String name;
    private final @Nullable String baseModel;

    private AdapterExport(Builder builder) {
        server = Objects.requireNonNull(builder.server, "set the server");
        rank = builder.rank;
        name = builder.name;
        baseModel = builder.baseModel;
    }

    /**
     * Writes an adapter.
     *
     * @param model the base model
     * @param adapter an adapter on it, not merged
     * @param directory where to write; made if it does not exist
     * @return what was written
     * @throws AdapterConfigException if the server cannot have the adapter, or its rank is not
     *     stated where it has to be; nothing is written
     * @throws IOException if writing fails
     */
    public ExportReport write(CausalLm model, Adapter adapter, Path directory) throws IOException {
        int wanted = server.rankFor(rank.orElseGet(() -> exactRank(adapter)));
        if (server.isVllm() && wanted > VllmRules.largestRank()) {
            throw new AdapterConfigException(
                    "rank "
                            + wanted
                            + " is more than vLLM's largest, "
                            + VllmRules.largestRank()
                            + "; cut it to a smaller one");
        }
        PortableLora lora = portable(adapter, wanted);
        if (server == Server.TGI) {
            lora = forTgi(lora, model);
        }
        Path written = write(model, adapter, lora, directory);
        List<String> needs = new ArrayList<>();
        if (server == Server.VLLM && VllmRules.maxLoraRank(wanted) != VllmRules.maxLoraRank(1)) {
            needs.add("--max-lora-rank " + VllmRules.maxLoraRank(wanted));
        }
        return new ExportReport(
                server,
                written,
                lora.rank(),
                lora.modules().stream()
                        .map(module -> new ExportReport.Kept(module.path(), module.keptEnergy()))
                        .toList(),
                needs);
    }

    private static int exactRank(Adapter adapter) {
        return PortableLora.exactRank(adapter)
                .orElseThrow(
                        () ->
                                new AdapterConfigException(
                                        "adapter "
                                                + adapter.name()
                                                + " is "
                                                + adapter.config().method()
                                                + ", whose change of a weight has full rank; state"
                                                + " the rank to cut it to, or merge it into the"
                                                + " model instead"));
    }

    private static PortableLora portable(Adapter adapter, int rank) {
        try {
            return PortableLora.of(adapter, rank);
        } catch (AdapterConfigException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw new AdapterConfigException(String.valueOf(e.getMessage()), e);
        }
    }

    /** TGI takes a kind of module in all layers or in none. */
    private static PortableLora forTgi(PortableLora lora, CausalLm model) {
        List<String> paths = lora.modules().stream().map(PortableModule::path).toList();
        List<String> unread = paths.stream().filter(path -> !TgiRules.reads(path)).toList();
        if (!unread.isEmpty()) {
            throw new AdapterConfigException(
                    "TGI would pass over "
                            + SavedModules.some(unread)
                            + "; merge the adapter into the model instead");
        }
        Set<String> kinds = TgiRules.layers(paths).keySet();
        PortableLora whole = lora;
        for (Site site : Adapters.sites(model.block())) {
            boolean wanted =
                    TgiRules.layers(List.of(site.path())).keySet().stream()
                            .anyMatch(kinds::contains);
            if (wanted) {
                whole =
                        whole.withZeros(
                                site.path(),
                                Math.toIntExact(site.outFeatures()),
                                Math.toIntExact(site.inFeatures()));
            }
        }
        return whole;
    }

    private Path write(CausalLm model, Adapter adapter, PortableLora lora, Path directory)
            throws IOException {
        String called = name == null ? adapter.name() : name;
        if (server == Server.LLAMA_CPP) {
            GgufFile content = LlamaCppAdapter.of(lora, model.config(), called);
            Files.createDirectories(directory);
            Path file = directory.resolve("adapter.gguf");
            content.write(file);
            return file;
        }
        String base =
                adapter.config()
                        .toPeft()
                        .string("base_model_name_or_path")
                        .or(() -> Optional.ofNullable(baseModel))
                        .orElse(null);
        SavedAdapter saved =
                lora.toPeft(
                        targets(lora, model),
                        base,
                        adapter.config().toPeft().string("task_type").orElse("CAUSAL_LM"));
        if (server != Server.DJL_SERVING) {
            saved.write(directory, provenance(adapter, lora));
            return directory;
        }
        String settings = properties(base, lora.rank());
        saved.write(directory.resolve("adapters").resolve(called), provenance(adapter, lora));
        Path properties = directory.resolve("serving.properties");
        if (!Files.exists(properties)) {
            AtomicFiles.writeString(properties, settings);
        }
        return directory;
    }

    private static String properties(@Nullable String base, int rank) {
        String model = base == null ? "" : "option.model_id=" + oneLine(base) + "\n";
        return "engine=Python\n"
                + model
                + "option.rolling_batch=vllm\noption.enable_lora=true\noption.max_lora_rank="
                + VllmRules.maxLoraRank(rank)
                + "\n";
    }

    /** A name from a file must not become settings of its own. */
    private static String oneLine(String base) {
        if (base.chars().anyMatch(Character::isISOControl) || base.contains("\\")) {
            throw new AdapterConfigException(
                    "base_model_name_or_path has control characters or backslashes, which"
                            + " serving.properties cannot hold; correct adapter_config.json");
        }
        return base;
    }

    private Provenance provenance(Adapter adapter, PortableLora lora) {
        Map<String, String> entries = new HashMap<>(adapter.provenance().entries());
        entries.put("export.for", server.toString());
        entries.put("export.rank", Integer.toString(lora.rank()));
        entries.put("export.least_kept_energy", Double.toString(lora.leastKeptEnergy()));
        return new Provenance(entries);
    }

    /** Short names if they mean these modules and no others, or else whole paths. */
    private static List<String> targets(PortableLora lora, CausalLm model) {
        Set<String> paths =
                lora.modules().stream().map(PortableModule::path).collect(Collectors.toSet());
        Map<String, Boolean> all = new LinkedHashMap<>();
        for (Site site : Adapters.sites(model.block())) {
            String name = site.path().substring(site.path().lastIndexOf('.') + 1);
            all.merge(name, paths.contains(site.path()), Boolean::logicalAnd);
        }
        Set<String> names =
                paths.stream()
                        .map(path -> path.substring(path.lastIndexOf('.') + 1))
                        .collect(Collectors.toSet());
        boolean exact = names.stream().allMatch(name -> all.getOrDefault(name, false));
        return (exact ? names : paths).stream().sorted().toList();
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds an {@link AdapterExport}. */
    public static final class Builder {

        private @Nullable Server server;
        private OptionalInt rank = OptionalInt.empty();
        private @Nullable String name;
        private @Nullable String baseModel;

        private Builder() {}

        /**
         * Sets whom to write for (required).
         *
         * @param target the server
         * @return this builder
         */
        public Builder setServer(Server target) {
            server = target;
            return this;
        }

        /**
         * Sets the rank of all modules: smaller ones are filled up, larger ones cut. Unless set, it
         * is the smallest that holds the adapter, and DoRA, which none does, is refused. TGI gets 8
         * or the next multiple of 16, since it does wrong with others.
         *
         * @param r the rank, at least 1
         * @return this builder
         */
        public Builder optRank(int r) {
            if (r < 1) {
                throw new IllegalArgumentException("the rank must be at least 1, but is " + r);
            }
            rank = OptionalInt.of(r);
            return this;
        }

        /**
         * Sets what DJL Serving and llama.cpp call the adapter; as on its model, unless set.
         *
         * @param text a name that is a directory's as well
         * @return this builder
         * @throws IllegalArgumentException if it has other characters than letters, digits, dots,
         *     dashes and underscores, or begins with a dot
         */
        public Builder optName(String text) {
            if (!text.matches("[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")) {
                throw new IllegalArgumentException(
                        "an adapter's name is of letters, digits, dots, dashes and underscores and"
                                + " does not begin with a dot, but is \""
                                + text
                                + '"');
            }
            name = text;
            return this;
        }

        /**
         * Sets what the base model is called, if the adapter's settings do not say it.
         *
         * @param nameOrPath a hub name or a path
         * @return this builder
         */
        public Builder optBaseModel(@Nullable String nameOrPath) {
            baseModel = nameOrPath;
            return this;
        }

        /**
         * Builds the export.
         *
         * @return the export
         */
        public AdapterExport build() {
            return new AdapterExport(this);
        }
    }
}
