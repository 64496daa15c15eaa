package io.peft4j.adapters;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Prelu;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.LayerNorm;

/** What torch calls the parameters of DJL's blocks: the last part of PEFT's tensor keys. */
final class TorchNames {

    private TorchNames() {}

    /**
     * Translates a parameter's name.
     *
     * @param block the block whose own parameter it is
     * @param name its name there
     * @return torch's name; a block that torch does not have keeps its names
     */
    static String of(Block block, String name) {
        if (block instanceof Embedding || block instanceof Prelu) {
            return "weight";
        }
        if (block instanceof BatchNorm || block instanceof LayerNorm) {
            return switch (name) {
                case "gamma" -> "weight";
                case "beta" -> "bias";
                case "runningMean" -> "running_mean";
                case "runningVar" -> "running_var";
                default -> name;
            };
        }
        return name;
    }

    /** Tells whether a parameter is a bias: in torch's words, or in DJL's. */
    static boolean isBias(Parameter parameter, String torchName) {
        return torchName.contains("bias")
                || parameter.getType() == Parameter.Type.BIAS
                || parameter.getType() == Parameter.Type.BETA;
    }

    /** Tells whether a parameter is a statistic, which a forward pass writes and nothing trains. */
    static boolean isStatistic(Parameter parameter) {
        return parameter.getType() == Parameter.Type.RUNNING_MEAN
                || parameter.getType() == Parameter.Type.RUNNING_VAR;
    }
}
