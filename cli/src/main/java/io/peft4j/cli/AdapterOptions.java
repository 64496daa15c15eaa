package io.peft4j.cli;

import ai.djl.nn.Block;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import io.peft4j.dora.DoraConfig;
import io.peft4j.ia3.Ia3Config;
import io.peft4j.lora.LoraConfig;
import io.peft4j.lora.LoraInit;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.models.ModelConfig;
import io.peft4j.tuning.reward.RewardHead;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about an adapter's shape, but for method and rank, of which compare takes several. */
final class AdapterOptions {

    @Option(
            names = "--alpha",
            paramLabel = "A",
            description = "The scaling is alpha / rank (default: twice the rank).")
    private @Nullable Double alpha;

    @Option(names = "--rslora", description = "Scales by alpha / sqrt(rank): rank-stabilised LoRA.")
    private @Nullable Boolean rsLora;

    @Option(
            names = "--dropout",
            paramLabel = "P",
            description = "Drops inputs of the adapter in training, 0 to below 1 (default: 0).")
    private @Nullable Double dropout;

    @Option(
            names = "--target-modules",
            paramLabel = "LIST",
            description = {
                "Which linear layers to adapt: names with commas between them, re:REGEX for whole"
                        + " paths, or all-linear",
                "(default: the family's linear layers without the head).",
                "compare takes it several times, and compares the sets."
            })
    private @Nullable List<String> targetModules;

    @Option(
            names = "--init",
            paramLabel = "INIT",
            description =
                    "How A and B start: default, gaussian, orthogonal, pissa or olora (default:"
                            + " default).")
    private @Nullable String init;

    private boolean scoreHead;

    /** Gives new adapters a score head of their own. */
    void addScoreHead() {
        scoreHead = true;
    }

    boolean hasScoreHead() {
        return scoreHead;
    }

    /** Checks the values that need no model. */
    void check() {
        if (alpha != null && !Double.isFinite(alpha)) {
            throw new UsageException("--alpha must be a finite number, but is " + alpha);
        }
        if (dropout != null && !(dropout >= 0 && dropout < 1)) {
            throw new UsageException("--dropout must be at least 0 and below 1, but is " + dropout);
        }
        if (init != null) {
            parseInit(init);
        }
        targetSets().forEach(set -> set.ifPresent(AdapterOptions::parseTargets));
    }

    /** For a command that trains one adapter. */
    void requireOneTargetSet() {
        if (targetSets().size() > 1) {
            throw new UsageException(
                    "--target-modules can be given once here: put commas between the names");
        }
    }

    /** The sets of targets to compare; one that is empty is the family's own. */
    List<Optional<String>> targetSets() {
        return targetModules == null
                ? List.of(Optional.empty())
                : targetModules.stream().map(Optional::of).toList();
    }

    /**
     * Builds the config of a new adapter.
     *
     * @param method lora or dora
     * @param rank the rank
     * @param defaultTargets what to adapt unless a flag says otherwise
     * @param baseModel how the saved config names the base model
     */
    LowRankConfig create(String method, int rank, List<String> defaultTargets, String baseModel) {
        return create(method, rank, targetSets().get(0), defaultTargets, baseModel);
    }

    /** The same with one of several {@link #targetSets}. */
    LowRankConfig create(
            String method,
            int rank,
            Optional<String> targetSet,
            List<String> defaultTargets,
            String baseModel) {
        TargetModules targets =
                targetSet
                        .map(AdapterOptions::parseTargets)
                        .orElseGet(() -> TargetModules.of(defaultTargets.toArray(new String[0])));
        return switch (method) {
            case "lora" -> fill(LoraConfig.builder(), rank, targets, baseModel).build();
            case "dora" -> fill(DoraConfig.builder(), rank, targets, baseModel).build();
            default -> throw new IllegalArgumentException(method + " has no low-rank pair");
        };
    }

    /**
     * Builds the config of a new adapter of (IA)³, which has targets alone. The inputs are scaled
     * of the feed-forward network's last layer, if it is among them, and the outputs of the others.
     *
     * @param model the base model's settings
     * @param baseModel how the saved config names the base model
     */
    Ia3Config createIa3(ModelConfig model, String baseModel) {
        TargetModules given = targets();
        String[] names = model.defaultIa3TargetModules().toArray(new String[0]);
        TargetModules targets = given != null ? given : TargetModules.of(names);
        List<String> linears = List.copyOf(model.linears().keySet());
        List<String> sites = targets.select(linears, Set.copyOf(linears), Set.of(), Set.of());
        String last = model.feedforwardModules().get(0);
        Ia3Config.Builder builder =
                Ia3Config.builder()
                        .setTargetModules(targets)
                        .optTaskType("CAUSAL_LM")
                        .optBaseModel(baseModel);
        if (sites.stream().anyMatch(site -> site.endsWith("." + last))) {
            boolean named = List.of(targets.toString().split(",", -1)).contains(last);
            builder.optFeedforwardModules(named ? last : "re:.*\\." + last);
        }
        return builder.build();
    }

    private <T extends LowRankConfig.Builder<T>> T fill(
            T builder, int rank, TargetModules targets, String baseModel) {
        builder.setRank(rank)
                .setTargetModules(
                        scoreHead ? targets.withModulesToSave(RewardHead.MODULES_TO_SAVE) : targets)
                .optAlpha(alpha != null ? alpha : 2.0 * rank)
                .optRsLora(rsLora != null && rsLora)
                .optDropout(dropout != null ? dropout : 0)
                .optTaskType(scoreHead ? RewardHead.TASK_TYPE : "CAUSAL_LM")
                .optBaseModel(baseModel);
        return init == null ? builder : builder.optInit(parseInit(init));
    }

    private static LoraInit parseInit(String text) {
        return switch (text) {
            case "default" -> LoraInit.DEFAULT;
            case "gaussian" -> LoraInit.GAUSSIAN;
            case "orthogonal" -> LoraInit.ORTHOGONAL;
            case "pissa" -> LoraInit.PISSA;
            case "olora" -> LoraInit.OLORA;
            default ->
                    throw new UsageException(
                            "--init must be default, gaussian, orthogonal, pissa or olora, but is"
                                    + " \""
                                    + text
                                    + "\"");
        };
    }

    private @Nullable TargetModules targets() {
        return targetSets().get(0).map(AdapterOptions::parseTargets).orElse(null);
    }

    private static TargetModules parseTargets(String text) {
        try {
            return TargetModules.parse(text);
        } catch (AdapterConfigException e) {
            throw new UsageException("--target-modules: " + e.getMessage(), e);
        }
    }

    /** Says the settings in words, for a report. */
    Map<String, String> describe() {
        Map<String, String> words = new LinkedHashMap<>();
        words.put("alpha", alpha == null ? "twice the rank" : String.valueOf(alpha));
        words.put(
                "scaling",
                rsLora != null && rsLora ? "alpha / sqrt(rank) (rsLoRA)" : "alpha / rank");
        words.put("dropout", String.valueOf(dropout == null ? 0 : dropout));
        words.put("initial values", init == null ? "default" : init);
        return words;
    }

    /** Refuses every flag of this group, for a run that has no use for one. */
    void requireNone(String reason) {
        requireNoLowRank(reason);
        requireAbsent("--target-modules", targetModules, reason);
    }

    /** Refuses the flags about a low-rank pair, for a method without one. */
    void requireNoLowRank(String reason) {
        requireAbsent("--alpha", alpha, reason);
        requireAbsent("--rslora", rsLora, reason);
        requireAbsent("--dropout", dropout, reason);
        requireAbsent("--init", init, reason);
    }

    /**
     * Refuses flags that say something else than a loaded adapter.
     *
     * <p>Targets agree if they choose the same sites, however they are written.
     *
     * @param config the loaded adapter's config
     * @param base the model's root block
     * @param source the adapter's directory, for the message
     */
    void requireAgreement(LowRankConfig config, Block base, String source) {
        requireAbsent("--init", init, "the adapter's values come from --init-adapter " + source);
        requireEqual("--alpha", alpha, config.alpha(), source);
        requireEqual("--rslora", rsLora, config.rsLora(), source);
        requireEqual("--dropout", dropout, config.dropout(), source);
        TargetModules targets = targets();
        if (targets != null) {
            LowRankConfig given = LoraConfig.builder().setRank(1).setTargetModules(targets).build();
            if (!Adapters.dryRun(base, given).equals(Adapters.dryRun(base, config))) {
                requireEqual("--target-modules", targets, config.targetModules(), source);
            }
        }
    }

    static void requireAbsent(String flag, @Nullable Object value, String reason) {
        if (value != null) {
            throw new UsageException(flag + " cannot be given: " + reason);
        }
    }

    static void requireEqual(String flag, @Nullable Object given, Object loaded, String source) {
        if (given != null && !given.equals(loaded)) {
            throw new UsageException(
                    flag
                            + " "
                            + given
                            + " contradicts --init-adapter "
                            + source
                            + ", which has "
                            + loaded);
        }
    }
}
