package io.peft4j.lora;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.ModulePatterns;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.TrainedInFull;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * PEFT's names of the settings. Written are those that every version of PEFT knows, and of the
 * younger ones those that differ from their default, so that an older PEFT reads the rest.
 */
final class PeftSettings {

    private static final Map<String, TrainedInFull.Bias> BIASES =
            Map.of(
                    "none", TrainedInFull.Bias.NONE,
                    "all", TrainedInFull.Bias.ALL,
                    "lora_only", TrainedInFull.Bias.ADAPTED);

    private PeftSettings() {}

    static <T extends LowRankConfig.Builder<T>> T read(PeftConfig peft, T builder) {
        peft.requireUnused("target_parameters", Set.of("[]"));
        peft.requireUnused("layer_replication", Set.of("[]"));
        peft.requireUnused("alora_invocation_tokens", Set.of());
        peft.requireUnused("use_qalora", Set.of("false"));
        peft.requireUnused("use_bdlora", Set.of("false"));
        return builder.setTargetModules(TargetModules.read(peft))
                .setRank(peft.integer("r").orElse(8))
                .optAlpha(peft.number("lora_alpha").orElse(8.0))
                .optRsLora(peft.flag("use_rslora"))
                .optDropout(peft.number("lora_dropout").orElse(0.0))
                .optInit(LoraInit.read(peft))
                .optRankPattern(peft.wholeNumbers("rank_pattern"))
                .optAlphaPattern(peft.numbers("alpha_pattern"))
                .optLoraBias(peft.flag("lora_bias"))
                .optFanInFanOut(peft.flag("fan_in_fan_out"))
                .optBias(bias(peft))
                .optTrainableTokens(peft.integerLists("trainable_token_indices"))
                .optEnsureWeightTying(peft.flag("ensure_weight_tying"))
                .optTaskType(peft.string("task_type").orElse(null))
                .optBaseModel(peft.string("base_model_name_or_path").orElse(null));
    }

    private static TrainedInFull.Bias bias(PeftConfig peft) {
        String value = peft.string("bias").orElse("none");
        TrainedInFull.Bias bias = BIASES.get(value);
        if (bias == null) {
            throw new AdapterConfigException(
                    peft.source()
                            + ": \"bias\" must be none, all or lora_only, but is \""
                            + value
                            + "\"");
        }
        return bias;
    }

    static PeftConfig write(LowRankConfig config) {
        return settings(config).build();
    }

    /**
     * Writes the settings of a plain adapter of twice the rank, with the same scaling everywhere.
     * The scaling divides alpha by the rank or by its root.
     */
    static PeftConfig writePlain(LowRankConfig config) {
        double growth = config.rsLora() ? Math.sqrt(2) : 2;
        return settings(config)
                .opt("r", 2 * config.rank())
                .opt("lora_alpha", growth * config.alpha())
                .opt("rank_pattern", times(2, config.rankPattern()))
                .opt("alpha_pattern", times(growth, config.alphaPattern()))
                .opt("init_lora_weights", true)
                .build();
    }

    private static Map<String, Double> times(double factor, ModulePatterns patterns) {
        Map<String, Double> larger = new LinkedHashMap<>();
        patterns.values().forEach((pattern, value) -> larger.put(pattern, factor * value));
        return larger;
    }

    private static PeftConfig.Builder settings(LowRankConfig config) {
        TrainedInFull own = config.trainedInFull();
        PeftConfig.Builder peft =
                config.targetModules()
                        .writeTo(PeftConfig.builder("LORA"))
                        .opt("task_type", config.taskType())
                        .opt("base_model_name_or_path", config.baseModel())
                        .opt("revision", null)
                        .opt("inference_mode", true)
                        .opt("r", config.rank())
                        .opt("lora_alpha", config.alpha())
                        .opt("rank_pattern", config.rankPattern().values())
                        .opt("alpha_pattern", config.alphaPattern().values())
                        .opt("lora_dropout", config.dropout())
                        .opt("bias", name(own.bias()))
                        .opt("fan_in_fan_out", config.fanInFanOut())
                        .opt("init_lora_weights", config.init().peftValue())
                        .opt("use_rslora", config.rsLora())
                        .opt("use_dora", config.useDora());
        if (!own.tokens().isEmpty()) {
            List<Integer> only = own.tokens().get("");
            peft.opt("trainable_token_indices", only == null ? own.tokens() : only);
        }
        if (config.loraBias()) {
            peft.opt("lora_bias", true);
        }
        if (config.ensureWeightTying()) {
            peft.opt("ensure_weight_tying", true);
        }
        return peft;
    }

    static String name(TrainedInFull.Bias bias) {
        return BIASES.entrySet().stream()
                .filter(entry -> entry.getValue() == bias)
                .findFirst()
                .orElseThrow()
                .getKey();
    }
}
