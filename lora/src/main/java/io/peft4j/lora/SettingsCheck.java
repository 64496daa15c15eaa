package io.peft4j.lora;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TrainedInFull;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** Which settings are in range and fit each other, and which fit a site. */
final class SettingsCheck {

    private static final int LARGEST_RANK = 4096;

    private SettingsCheck() {}

    static void check(LowRankConfig config) {
        forEachRank(config, SettingsCheck::requireRank);
        if (!(config.dropout() >= 0 && config.dropout() < 1)) {
            throw new AdapterConfigException(
                    "dropout must be at least 0 and below 1, but is " + config.dropout());
        }
        if (!Double.isFinite(config.alpha())) {
            throw new AdapterConfigException("alpha must be finite, but is " + config.alpha());
        }
        config.trainedInFull().tokens().forEach(SettingsCheck::requireRows);
        if (config.init().equals(LoraInit.ORTHOGONAL)) {
            forEachRank(config, SettingsCheck::requireEven);
        }
        if (config.init().equals(LoraInit.OLORA) && config.fanInFanOut()) {
            throw new AdapterConfigException(
                    "init olora does not know weights stored (in, out), but fan_in_fan_out is set");
        }
        if (config.loraBias()) {
            requireBiasFits(config);
        }
    }

    /** A rank and where it was set. */
    private record Rank(String where, double value) {}

    private static void forEachRank(LowRankConfig config, Consumer<Rank> requirement) {
        requirement.accept(new Rank("rank", config.rank()));
        config.rankPattern()
                .values()
                .forEach(
                        (pattern, rank) ->
                                requirement.accept(
                                        new Rank("rank_pattern \"" + pattern + "\"", rank)));
    }

    private static void requireRank(Rank rank) {
        if (rank.value < 1 || rank.value > LARGEST_RANK) {
            throw new AdapterConfigException(
                    rank.where
                            + " must be from 1 to "
                            + LARGEST_RANK
                            + ", but is "
                            + (int) rank.value);
        }
    }

    private static void requireEven(Rank rank) {
        if (rank.value % 2 != 0) {
            throw new AdapterConfigException(
                    "init orthogonal needs an even rank, but "
                            + rank.where
                            + " is "
                            + (int) rank.value);
        }
    }

    private static void requireRows(String module, List<Integer> rows) {
        Set<Integer> once = new HashSet<>();
        for (int row : rows) {
            if (row < 0 || !once.add(row)) {
                throw new AdapterConfigException(
                        "trainable_token_indices "
                                + module
                                + " must be different rows from 0, but are "
                                + rows);
            }
        }
    }

    private static void requireBiasFits(LowRankConfig config) {
        TrainedInFull.Bias bias = config.trainedInFull().bias();
        boolean plain = config.init().equals(LoraInit.DEFAULT);
        if (config.useDora() || !plain || bias != TrainedInFull.Bias.NONE) {
            throw new AdapterConfigException(
                    "lora_bias is for LoRA with the default init and bias none, but use_dora is "
                            + config.useDora()
                            + ", init_lora_weights is "
                            + config.init()
                            + " and bias is "
                            + PeftSettings.name(bias));
        }
    }

    static void requireFits(LowRankConfig config, Site site) {
        if (site.kind() == Site.Kind.GROUPED_CONV) {
            throw new AdapterConfigException(
                    site.path()
                            + " is a convolution in groups, where PEFT's pair is no change of the"
                            + " weight: its A sees the inputs of all groups; leave it out of the"
                            + " target modules");
        }
        if (site.kind() == Site.Kind.EMBEDDING && config.loraBias()) {
            throw new AdapterConfigException(
                    site.path() + " is an embedding, which has no lora_bias");
        }
        if (site.kind() == Site.Kind.CONV && !config.init().takesConvolutions()) {
            throw new AdapterConfigException(
                    site.path()
                            + " is a convolution, which cannot start with init "
                            + config.init()
                            + "; PEFT has it for linear layers only");
        }
    }
}
