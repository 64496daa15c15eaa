package io.peft4j.tuning.online.ppo;

import io.peft4j.tuning.Example;
import io.peft4j.tuning.TrainingTask;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a step's answers teach, gone through in epochs and mini-batches. */
final class PpoStep implements TrainingTask.Step {

    private final ValueFunction values;
    private final List<Example> examples;
    private final PpoExperience experience;
    private final PpoConfig config;
    private final double temperature;
    private final List<PpoUpdate> updates;
    private final Map<String, Double> seen;

    /**
     * Makes a step.
     *
     * @param values the model and its value adapter
     * @param examples prompts with answers
     * @param experience what the answers teach
     * @param config the settings
     * @param temperature at which answers were sampled
     * @param miniBatches the answers of each update
     * @param seen what else is told of the step
     */
    PpoStep(
            ValueFunction values,
            List<Example> examples,
            PpoExperience experience,
            PpoConfig config,
            double temperature,
            List<int[]> miniBatches,
            Map<String, Double> seen) {
        this.values = values;
        this.examples = List.copyOf(examples);
        this.experience = experience;
        this.config = config;
        this.temperature = temperature;
        this.seen = seen;
        updates = miniBatches.stream().map(this::update).toList();
    }

    private PpoUpdate update(int[] rows) {
        long tokens = 0;
        for (int row : rows) {
            tokens += examples.get(row).labelled();
        }
        return new PpoUpdate(this, rows, new PpoLoss(config, tokens));
    }

    ValueFunction values() {
        return values;
    }

    Example example(int row) {
        return examples.get(row);
    }

    PpoExperience experience() {
        return experience;
    }

    double temperature() {
        return temperature;
    }

    @Override
    public long tokens() {
        return config.epochs() * examples.stream().mapToLong(Example::length).sum();
    }

    @Override
    public long labelled() {
        return examples.stream().mapToLong(Example::labelled).sum();
    }

    @Override
    public List<TrainingTask.Update> updates() {
        return List.copyOf(updates);
    }

    private List<PpoLoss> losses() {
        return updates.stream().filter(PpoUpdate::begun).map(PpoUpdate::loss).toList();
    }

    @Override
    public double loss() {
        List<PpoLoss> losses = losses();
        return losses.isEmpty() ? 0 : PpoMetrics.mean(losses, PpoLoss::total);
    }

    @Override
    public Map<String, Double> metrics() {
        Map<String, Double> metrics = new LinkedHashMap<>(seen);
        metrics.putAll(experience.metrics());
        metrics.putAll(PpoMetrics.of(losses(), config.klInLoss()));
        return metrics;
    }
}
