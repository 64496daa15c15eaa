package io.peft4j.cli.compare;

import java.util.ArrayList;
import java.util.List;

/** Averages the loss of single batches, which jumps, over a window that grows with the run. */
public final class Smoothing {

    private Smoothing() {}

    /**
     * Averages.
     *
     * @param points by step
     * @return at each step the mean of the last ones, a twentieth of all
     */
    public static List<Point> of(List<Point> points) {
        int window = Math.max(1, points.size() / 20);
        List<Point> smooth = new ArrayList<>();
        double sum = 0;
        for (int i = 0; i < points.size(); i++) {
            sum += points.get(i).loss();
            if (i >= window) {
                sum -= points.get(i - window).loss();
            }
            smooth.add(new Point(points.get(i).step(), sum / Math.min(i + 1, window)));
        }
        return smooth;
    }
}
