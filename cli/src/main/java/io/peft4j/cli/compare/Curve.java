package io.peft4j.cli.compare;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * A variant's loss by step: the mean over its seeds, and how far they lie apart.
 *
 * @param label the variant in a few words
 * @param points by step
 */
public record Curve(String label, List<BandPoint> points) {

    /**
     * The losses of all seeds at a step.
     *
     * @param step the optimizer steps done
     * @param losses one per seed that has this step
     */
    public record BandPoint(int step, Spread losses) {}

    /** Copies the points. */
    public Curve {
        points = List.copyOf(points);
    }

    /**
     * The curve of a single run.
     *
     * @param label what it shows
     * @param points one per step
     * @return a curve without a band
     */
    public static Curve of(String label, List<Point> points) {
        return new Curve(
                label,
                points.stream()
                        .map(point -> new BandPoint(point.step(), Spread.of(List.of(point.loss()))))
                        .toList());
    }

    static Curve heldOut(VariantResult variant) {
        return of(variant, RunMetrics::heldOut);
    }

    /** Smoothed seed by seed: the losses of single batches jump. */
    static Curve training(VariantResult variant) {
        return of(variant, metrics -> Smoothing.of(metrics.training()));
    }

    private static Curve of(VariantResult variant, Function<RunMetrics, List<Point>> losses) {
        Map<Integer, List<Double>> bySteps = new TreeMap<>(Comparator.naturalOrder());
        for (ComparedRun run : variant.runs()) {
            for (Point point : losses.apply(run.metrics())) {
                bySteps.computeIfAbsent(point.step(), step -> new ArrayList<>()).add(point.loss());
            }
        }
        List<BandPoint> points = new ArrayList<>();
        bySteps.forEach((step, values) -> points.add(new BandPoint(step, Spread.of(values))));
        return new Curve(variant.label(), points);
    }

    boolean hasBand() {
        return points.stream().anyMatch(point -> point.losses().count() > 1);
    }
}
