package io.peft4j.tuning.online.rejection;

import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.rejection.RejectionReport.JudgeFigures;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Chooses the answers to keep, prompt by prompt, and counts. */
final class RejectionSelection {

    private final RejectionConfig config;
    private final List<Reward> judges;

    /** Prompts with their answers that were kept, to tell rows of the same prompt apart. */
    private final Set<String> kept = new HashSet<>();

    private final double[] judgeSums;
    private final double[] judgeBests;
    private int prompts;
    private int answered;
    private int samples;
    private int accepted;
    private int duplicates;
    private int unfinished;
    private double sum;
    private double bestSum;
    private double acceptedSum;

    RejectionSelection(RejectionConfig config, List<Reward> judges) {
        this.config = config;
        this.judges = judges;
        judgeSums = new double[judges.size()];
        judgeBests = new double[judges.size()];
    }

    /** Returns what is kept of the answers to a prompt. */
    List<SampledAnswer> keep(Prompt prompt, List<SampledAnswer> answers) {
        count(answers);
        List<SampledAnswer> candidates = new ArrayList<>();
        Set<String> texts = new HashSet<>();
        for (SampledAnswer answer : answers) {
            if (!texts.add(answer.text())) {
                duplicates++;
            } else if ((answer.ended() || config.keepUnfinished())
                    && answer.reward() >= config.threshold().orElse(Double.NEGATIVE_INFINITY)) {
                candidates.add(answer);
            }
        }
        if (config.keep() == RejectionConfig.Keep.BEST) {
            candidates =
                    candidates.stream()
                            .max(Comparator.comparingDouble(SampledAnswer::reward))
                            .stream()
                            .toList();
        }
        List<SampledAnswer> fresh = new ArrayList<>();
        String asked = AnswerRows.of(prompt) + "\n";
        for (SampledAnswer candidate : candidates) {
            if (kept.add(asked + candidate.text())) {
                fresh.add(candidate);
                accepted++;
                acceptedSum += candidate.reward();
            } else {
                duplicates++;
            }
        }
        answered += fresh.isEmpty() ? 0 : 1;
        return fresh;
    }

    private void count(List<SampledAnswer> answers) {
        prompts++;
        samples += answers.size();
        unfinished += (int) answers.stream().filter(answer -> !answer.ended()).count();
        sum += answers.stream().mapToDouble(SampledAnswer::reward).sum();
        bestSum += answers.stream().mapToDouble(SampledAnswer::reward).max().orElse(0);
        for (int i = 0; i < judgeSums.length; i++) {
            int judge = i;
            judgeSums[i] += answers.stream().mapToDouble(one -> one.rewards().get(judge)).sum();
            judgeBests[i] +=
                    answers.stream().mapToDouble(one -> one.rewards().get(judge)).max().orElse(0);
        }
    }

    RejectionReport report() {
        Map<String, JudgeFigures> figures = new LinkedHashMap<>();
        for (int i = 0; i < judgeSums.length; i++) {
            figures.put(
                    judges.get(i).name(),
                    new JudgeFigures(
                            judges.get(i).weight(),
                            mean(judgeSums[i], samples),
                            mean(judgeBests[i], prompts)));
        }
        return new RejectionReport(
                prompts,
                answered,
                samples,
                accepted,
                duplicates,
                unfinished,
                mean(sum, samples),
                mean(bestSum, prompts),
                mean(acceptedSum, accepted),
                figures);
    }

    private static double mean(double sum, int count) {
        return count == 0 ? 0 : sum / count;
    }
}
