package io.peft4j.cli;

import io.peft4j.adapters.TargetModules;
import io.peft4j.lora.LowRankConfig;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What train changes in a model: a new adapter, a saved one, or all weights. */
final class MethodOptions {

    private static final String LORA = "lora";
    private static final int DEFAULT_RANK = 16;

    @Option(
            names = "--method",
            paramLabel = "NAME",
            description = "lora, dora or full, which trains all weights (default: lora).")
    private @Nullable String method;

    @Option(names = "--rank", paramLabel = "R", description = "The adapter's rank (default: 16).")
    private @Nullable Integer rank;

    @Option(
            names = "--init-adapter",
            paramLabel = "DIR",
            description = "Trains this adapter on; its method, rank, alpha and targets hold.")
    private @Nullable Path initAdapter;

    @Mixin private AdapterOptions adapter;

    void check() {
        if (method != null) {
            Methods.check("--method", method, true);
        }
        if (rank != null) {
            Checks.between("--rank", rank, 1, 4096);
        }
        adapter.check();
        if (isFull()) {
            String reason = "--method full trains the model's own weights";
            adapter.requireNone(reason);
            if (rank != null || initAdapter != null) {
                throw new UsageException(
                        (rank != null ? "--rank" : "--init-adapter")
                                + " cannot be given: "
                                + reason);
            }
        }
        if (initAdapter != null) {
            Checks.directory("--init-adapter", initAdapter);
        }
    }

    boolean isFull() {
        return Methods.FULL.equals(method);
    }

    @Nullable Path initAdapter() {
        return initAdapter;
    }

    /** Builds the config of a new adapter. */
    LowRankConfig create(List<String> defaultTargets, String baseModel) {
        return adapter.create(
                method == null ? LORA : method,
                rank == null ? DEFAULT_RANK : rank,
                defaultTargets,
                baseModel);
    }

    /** Refuses flags that say something else than the adapter of {@code --init-adapter}. */
    void requireAgreement(LowRankConfig loaded) {
        String source = String.valueOf(initAdapter);
        AdapterOptions.requireEqual("--method", method, loaded.method(), source);
        AdapterOptions.requireEqual("--rank", rank, loaded.rank(), source);
        adapter.requireAgreement(loaded, source);
    }

    @Nullable TargetModules targets() {
        return adapter.targets();
    }
}
