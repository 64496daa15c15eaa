package io.peft4j.tuning.online.ppo;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * What TRL logs of a PPO step's updates, under its names: the mean over the updates of each one's
 * mean over tokens.
 */
final class PpoMetrics {

    private PpoMetrics() {}

    /** Returns the means, of an update at least. */
    static Map<String, Double> of(List<PpoLoss> updates, boolean klInLoss) {
        Map<String, Double> metrics = new LinkedHashMap<>();
        metrics.put("policy/approxkl_avg", mean(updates, PpoLoss::approximateKl));
        metrics.put("policy/clipfrac_avg", mean(updates, PpoLoss::policyClipFraction));
        metrics.put("loss/policy_avg", mean(updates, PpoLoss::policyMean));
        metrics.put("loss/value_avg", mean(updates, PpoLoss::valueMean));
        if (klInLoss) {
            metrics.put("loss/kl_avg", mean(updates, PpoLoss::klMean));
        }
        metrics.put("val/clipfrac_avg", mean(updates, PpoLoss::valueClipFraction));
        metrics.put("policy/entropy_avg", mean(updates, PpoLoss::entropyMean));
        double ratio = mean(updates, PpoLoss::ratioMean);
        metrics.put("val/ratio", ratio);
        metrics.put("val/ratio_var", variance(updates, ratio));
        return metrics;
    }

    static double mean(List<PpoLoss> updates, ToDoubleFunction<PpoLoss> number) {
        return updates.stream().mapToDouble(number).sum() / updates.size();
    }

    /** Of the updates' mean ratios, with Bessel's correction; 0 of a single one. */
    private static double variance(List<PpoLoss> updates, double mean) {
        double squares =
                updates.stream()
                        .mapToDouble(update -> update.ratioMean() - mean)
                        .map(x -> x * x)
                        .sum();
        return squares / Math.max(1, updates.size() - 1);
    }
}
