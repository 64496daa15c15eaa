package io.peft4j.tuning.preference;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * The losses of TRL 1.13's {@code DPOTrainer} that are a function of one pair, under its names. c
 * and r are the {@link PairRatios} of the chosen and the rejected answer, c̄ and r̄ the same per
 * token, d = c − r, σ the logistic function and ε the label smoothing.
 */
public enum LossType {
    /**
     * −log σ(β d): DPO (Rafailov et al., arXiv:2305.18290). With ε it is the conservative DPO of
     * Mitchell, −(1 − ε) log σ(β d) − ε log σ(−β d), which TRL 1.13 does not have any more: it
     * passes over ε here.
     */
    SIGMOID {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double z = beta * x.difference();
            return ofDifference(
                    -(1 - smoothing) * logSigmoid(z) - smoothing * logSigmoid(-z),
                    beta * (-(1 - smoothing) * sigmoid(-z) + smoothing * sigmoid(z)));
        }
    },
    /** (−(1 − ε) log σ(β d) + ε log σ(−β d)) / (1 − 2 ε): Chowdhury et al., arXiv:2403.00409. */
    ROBUST {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double z = beta * x.difference();
            double scale = 1 / (1 - 2 * smoothing);
            return ofDifference(
                    scale * (-(1 - smoothing) * logSigmoid(z) + smoothing * logSigmoid(-z)),
                    scale * beta * (-(1 - smoothing) * sigmoid(-z) - smoothing * sigmoid(z)));
        }
    },
    /** max(0, 1 − β d): SLiC (Zhao et al., arXiv:2305.10425) as RSO uses it (arXiv:2309.06657). */
    HINGE {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double gap = 1 - beta * x.difference();
            return ofDifference(Math.max(0, gap), gap > 0 ? -beta : 0);
        }
    },
    /** (c̄ − r̄ − 1 / (2 β))²: IPO (Azar et al., arXiv:2310.12036), of means over tokens. */
    IPO {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double gap = x.chosenMean() - x.rejectedMean() - 1 / (2 * beta);
            return ofMeans(x, gap * gap, 2 * gap);
        }
    },
    /** −log σ(β (c̄ − r̄)): DPO of means over tokens. */
    SIGMOID_NORM {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double z = beta * (x.chosenMean() - x.rejectedMean());
            return ofMeans(x, -logSigmoid(z), -beta * sigmoid(-z));
        }
    },
    /** 1 − σ(β c) + σ(β r): APO-zero (D'Oosterlinck et al., arXiv:2408.06266). */
    APO_ZERO {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            return new PairLoss(
                    1 - sigmoid(beta * x.chosen()) + sigmoid(beta * x.rejected()),
                    -beta * slope(beta * x.chosen()),
                    beta * slope(beta * x.rejected()));
        }
    },
    /** σ(β c) + 1 − σ(β d): APO-down, for chosen answers that are worse than the model's own. */
    APO_DOWN {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double z = beta * x.difference();
            return new PairLoss(
                    sigmoid(beta * x.chosen()) + 1 - sigmoid(z),
                    beta * (slope(beta * x.chosen()) - slope(z)),
                    beta * slope(z));
        }
    },
    /** −log σ(β c) − log σ(−β r): BCO (Jung et al., arXiv:2404.04656), without its moving δ. */
    BCO_PAIR {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double c = beta * x.chosen();
            double r = beta * x.rejected();
            return new PairLoss(
                    -logSigmoid(c) - logSigmoid(-r), -beta * sigmoid(-c), beta * sigmoid(r));
        }
    },
    /** −log σ(β c) − ½ log σ(−β c) − ½ log σ(−β r): NCA (Chen et al., arXiv:2402.05369). */
    NCA_PAIR {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double c = beta * x.chosen();
            double r = beta * x.rejected();
            return new PairLoss(
                    -logSigmoid(c) - 0.5 * logSigmoid(-c) - 0.5 * logSigmoid(-r),
                    beta * (-sigmoid(-c) + 0.5 * sigmoid(c)),
                    0.5 * beta * sigmoid(r));
        }
    },
    /** (c − 1 / (2 β))² + (r + 1 / (2 β))²: SPPO with hard labels (Wu et al., arXiv:2405.00675). */
    SPPO_HARD {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double won = x.chosen() - 0.5 / beta;
            double lost = x.rejected() + 0.5 / beta;
            return new PairLoss(won * won + lost * lost, 2 * won, 2 * lost);
        }
    },
    /**
     * The divergence of (σ(β d), σ(−β d)) from (1 − ε, ε): EXO (Ji et al., arXiv:2402.00856). It
     * needs an ε above 0; the paper takes 1e-3.
     */
    EXO_PAIR {
        @Override
        PairLoss of(PairRatios x, double beta, double smoothing) {
            double z = beta * x.difference();
            double won = logSigmoid(z) - Math.log1p(-smoothing);
            double lost = logSigmoid(-z) - Math.log(smoothing);
            return ofDifference(
                    sigmoid(z) * won + sigmoid(-z) * lost, beta * slope(z) * (won - lost));
        }
    };

    /**
     * Computes the loss of a pair.
     *
     * @param ratios what policy and reference say
     * @param beta β
     * @param smoothing ε
     * @return the loss with its slopes
     */
    abstract PairLoss of(PairRatios ratios, double beta, double smoothing);

    private static PairLoss ofDifference(double value, double slope) {
        return new PairLoss(value, slope, -slope);
    }

    private static PairLoss ofMeans(PairRatios x, double value, double slope) {
        return new PairLoss(
                value,
                slope / Math.max(1, x.chosenTokens()),
                -slope / Math.max(1, x.rejectedTokens()));
    }

    private static double sigmoid(double x) {
        return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
    }

    private static double slope(double x) {
        return sigmoid(x) * sigmoid(-x);
    }

    private static double logSigmoid(double x) {
        return Math.min(0, x) - Math.log1p(Math.exp(-Math.abs(x)));
    }

    /**
     * Returns TRL's name.
     *
     * @return such as {@code apo_zero}
     */
    public String trlName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * Finds a loss by TRL's name.
     *
     * @param name such as {@code sigmoid}
     * @return the loss
     * @throws IllegalArgumentException if there is none of the name; the message lists all
     */
    public static LossType ofTrlName(String name) {
        return Arrays.stream(values())
                .filter(type -> type.trlName().equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "expected a loss of "
                                                + Arrays.stream(values())
                                                        .map(LossType::trlName)
                                                        .collect(Collectors.joining(", "))
                                                + ", found \""
                                                + name
                                                + "\""));
    }
}
