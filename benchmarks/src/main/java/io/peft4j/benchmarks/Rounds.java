package io.peft4j.benchmarks;

import com.google.gson.Gson;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;

/**
 * Cases that are measured in turn, round by round, so that what disturbs the machine disturbs all
 * of them. The first round warms up and does not count. A case is compared with another within each
 * round.
 */
final class Rounds {

    /**
     * What a case took.
     *
     * @param what the group of the case, such as {@code decode}
     * @param name the case
     * @param rounds how often it was measured
     * @param medianMs the median of its milliseconds
     * @param minMs the least
     * @param against the case that it is compared with
     * @param ratio the median over the rounds of its time by the other's
     */
    record Line(
            String what,
            String name,
            int rounds,
            double medianMs,
            double minMs,
            String against,
            double ratio) {}

    private final String what;
    private final Map<String, Callable<Double>> cases = new LinkedHashMap<>();
    private final Map<String, String> compared = new LinkedHashMap<>();
    private final Map<String, List<Double>> seconds = new LinkedHashMap<>();

    Rounds(String what) {
        this.what = what;
    }

    /**
     * Adds a case.
     *
     * @param name its name
     * @param against the name of the case that it is compared with, which may be its own
     * @param measurement measures it once, and returns seconds
     */
    Rounds add(String name, String against, Callable<Double> measurement) {
        cases.put(name, measurement);
        compared.put(name, against);
        seconds.put(name, new ArrayList<>());
        return this;
    }

    /** Measures each case a number of times. */
    Rounds run(int rounds) throws Exception {
        for (int round = 0; round <= rounds; round++) {
            for (Map.Entry<String, Callable<Double>> one : cases.entrySet()) {
                double took = one.getValue().call();
                if (round > 0) {
                    times(one.getKey()).add(took);
                }
            }
        }
        return this;
    }

    List<Line> lines() {
        List<Line> lines = new ArrayList<>();
        cases.keySet().forEach(name -> lines.add(line(name)));
        return lines;
    }

    private Line line(String name) {
        List<Double> own = times(name);
        String against = compared.getOrDefault(name, name);
        List<Double> others = times(against);
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < own.size(); i++) {
            ratios.add(own.get(i) / others.get(i));
        }
        double least = own.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
        return new Line(
                what,
                name,
                own.size(),
                rounded(1e3 * Measurement.median(own)),
                rounded(1e3 * least),
                against,
                rounded(Measurement.median(ratios)));
    }

    private List<Double> times(String name) {
        List<Double> times = seconds.get(name);
        if (times == null) {
            throw new IllegalArgumentException(
                    "no case " + name + " to compare with; there are " + seconds.keySet());
        }
        return times;
    }

    private static double rounded(double value) {
        return Math.round(value * 1e4) / 1e4;
    }

    /** Prints a line of JSON per case. */
    void print() {
        Gson json = new Gson();
        lines().forEach(line -> System.out.println(json.toJson(line)));
    }

    /** Something to time. */
    interface Action {
        void run() throws Exception;
    }

    /** Returns the seconds that an action takes. */
    static double time(Action action) throws Exception {
        long start = System.nanoTime();
        action.run();
        return (System.nanoTime() - start) / 1e9;
    }
}
