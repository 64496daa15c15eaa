package io.peft4j.cli;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.files.Sha256;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.models.Decoder;
import io.peft4j.models.ModelConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What train changes in a model: a new adapter, a saved one, or all weights. */
final class MethodOptions {

    private static final String LORA = "lora";
    static final int DEFAULT_RANK = 16;

    @Option(
            names = "--method",
            paramLabel = "NAME",
            description = "lora, dora, ia3, or full, which trains all weights (default: lora).")
    private @Nullable String method;

    @Option(names = "--rank", paramLabel = "R", description = "The adapter's rank (default: 16).")
    private @Nullable Integer rank;

    @Option(
            names = {"--init-adapter", "--adapter"},
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description = "Trains this adapter on; its method, rank, alpha and targets hold.")
    private @Nullable Source initAdapter;

    @Mixin private AdapterOptions adapter;

    /** Where {@link #initAdapter} was found. */
    private @Nullable Path initDirectory;

    void check() {
        if (method != null) {
            Methods.check("--method", method, Methods.TRAINED);
        }
        if (rank != null) {
            Checks.between("--rank", rank, 1, 4096);
        }
        adapter.check();
        adapter.requireOneTargetSet();
        if (isFull()) {
            String reason = "--method full trains the model's own weights";
            adapter.requireNone(reason);
            AdapterOptions.requireAbsent("--rank", rank, reason);
            AdapterOptions.requireAbsent("--init-adapter", initAdapter, reason);
        }
        if (isIa3()) {
            requireNoLowRank("--method ia3 has no low-rank pair");
        }
        if (initAdapter != null) {
            initAdapter.check("--init-adapter");
        }
    }

    /** For a command that trains a reward model, which is an adapter with a score head. */
    void requireScoreHead() {
        if (isFull() || isIa3()) {
            throw new UsageException(
                    "--method must be lora or dora for reward: its result is an adapter with a"
                            + " score head");
        }
        adapter.addScoreHead();
    }

    boolean isFull() {
        return Methods.FULL.equals(method);
    }

    boolean isIa3() {
        return Methods.IA3.equals(method);
    }

    private void requireNoLowRank(String reason) {
        AdapterOptions.requireAbsent("--rank", rank, reason);
        adapter.requireNoLowRank(reason);
    }

    /** Puts the adapter on the model: a new one, or the one of {@code --init-adapter}. */
    AdaptedModel attach(LoadedModel loaded, Source base, HyperParameters training, PrintWriter err)
            throws IOException {
        Decoder block = loaded.model().block();
        if (initAdapter == null) {
            ModelConfig model = loaded.model().config();
            AdapterConfig created =
                    isIa3() ? adapter.createIa3(model, base.name()) : create(model, base.name());
            return Adapters.attach(block, created, training.seed());
        }
        Path directory = initAdapter.fetchAdapter(err);
        initDirectory = directory;
        if (!adapter.hasScoreHead()) {
            RewardAdapters.refuse(directory);
        }
        AdapterConfig config = readAgreed(directory, initAdapter.name(), block);
        AdaptedModel adapted = Adapters.attach(block, config, training.seed());
        try {
            adapted.adapter().load(directory);
            return adapted;
        } catch (IOException | RuntimeException e) {
            adapted.close();
            throw e;
        }
    }

    /** What a provenance is to tell of where the attached adapter began. */
    Map<String, String> facts() throws IOException {
        return initDirectory == null
                ? Map.of()
                : Map.of(
                        "init_adapter_sha256",
                        Sha256.of(initDirectory.resolve("adapter_model.safetensors")));
    }

    /** Tells the settings of what {@link #attach} would put on a model, without the model. */
    LowRankConfig config(ModelConfig model, Source base, PrintWriter err) throws IOException {
        if (isIa3()) {
            throw new UsageException("--dry-run foretells lora, dora and full, but not ia3");
        }
        if (initAdapter == null) {
            return create(model, base.name());
        }
        if (Adapters.readConfig(initAdapter.fetchAdapter(err)) instanceof LowRankConfig config) {
            return config;
        }
        throw new UsageException(
                "--init-adapter " + initAdapter.name() + ": expected a LoRA or DoRA adapter");
    }

    private LowRankConfig create(ModelConfig model, String baseModel) {
        return adapter.create(
                method == null ? LORA : method,
                rank == null ? DEFAULT_RANK : rank,
                model.defaultTargetModules(),
                baseModel);
    }

    /** Reads the saved config and refuses flags that say something else. */
    private AdapterConfig readAgreed(Path directory, String source, Decoder block)
            throws IOException {
        AdapterConfig config = Adapters.readConfig(block, directory);
        AdapterOptions.requireEqual("--method", method, config.method(), source);
        if (config instanceof LowRankConfig lowRank) {
            AdapterOptions.requireEqual("--rank", rank, lowRank.rank(), source);
            adapter.requireAgreement(lowRank, block, source);
        } else {
            String reason = "--init-adapter " + source + " is of " + config.method();
            requireNoLowRank(reason);
            adapter.requireNone(reason + ", whose settings hold");
        }
        return config;
    }
}
